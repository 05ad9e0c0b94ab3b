"""The only door from the shell: one module for each command.

A command imports what it needs when it runs: `--help` must not wait for torch.
"""

from __future__ import annotations

import sys

import click

from tensorgrade import __version__
from tensorgrade.cli.award import award
from tensorgrade.cli.doctor import doctor
from tensorgrade.cli.feedback import feedback
from tensorgrade.cli.grade import grade
from tensorgrade.cli.preview import preview
from tensorgrade.cli.release import release
from tensorgrade.cli.words import complain
from tensorgrade.errors import TensorgradeError, UsageError


def main() -> None:
    """Run the command line; every expected error is one sentence and an exit code."""
    try:
        sys.exit(commands(standalone_mode=False))
    except click.exceptions.Abort:
        _stop("interrupted. What was graded before stays in the gradebook.", 1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except UsageError as error:
        _stop(str(error), 2)
    except TensorgradeError as error:
        _stop(str(error), 1)


def _stop(message: str, code: int) -> None:
    complain(message)
    sys.exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tensorgrade")
def commands() -> None:
    """Autograded deep-learning assignments whose grades cannot be faked.

    \b
    In a course directory:
      tensorgrade doctor                what this machine can enforce
      tensorgrade preview attention     see what students will see
      tensorgrade release attention     make the student version
      tensorgrade grade attention       grade what was collected
      tensorgrade feedback attention    write the students' feedback
    """


for _command in (doctor, preview, release, grade, feedback, award):
    commands.add_command(_command)
