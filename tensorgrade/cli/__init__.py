"""The only door from the shell: one module for each command.

A command imports what it needs when it runs: `--help` must not wait for torch.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

import click

from tensorgrade import __version__
from tensorgrade.cli.award import award
from tensorgrade.cli.calibrate import calibrate
from tensorgrade.cli.doctor import doctor
from tensorgrade.cli.exchange import exchange
from tensorgrade.cli.exchange_backup import exchange_backup
from tensorgrade.cli.exchange_retire import exchange_retire
from tensorgrade.cli.export import export
from tensorgrade.cli.feedback import feedback
from tensorgrade.cli.grade import grade
from tensorgrade.cli.grading_page import grading_page
from tensorgrade.cli.hub import hub
from tensorgrade.cli.interrupts import Interrupts
from tensorgrade.cli.lint import lint
from tensorgrade.cli.passback import passback
from tensorgrade.cli.preview import preview
from tensorgrade.cli.prove import prove
from tensorgrade.cli.release import release
from tensorgrade.cli.roster import roster
from tensorgrade.cli.submit import submit
from tensorgrade.cli.words import complain
from tensorgrade.errors import StorageError, TensorgradeError, UsageError

INTERRUPTED = "interrupted. What was recorded before stays; run the command again to go on."
MAX_REASON = 300


def main() -> None:
    """Run the command line; every error is one sentence and an exit code."""
    interrupts = Interrupts()
    interrupts.install()
    try:
        sys.exit(commands(standalone_mode=False, obj=interrupts))
    except (click.exceptions.Abort, KeyboardInterrupt):
        _stop(INTERRUPTED, 1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except UsageError as error:
        _stop(str(error), 2)
    except TensorgradeError as error:
        _stop(str(error), 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads; Python would complain at the end
        sys.exit(1)
    except Exception as error:
        _stop(INTERRUPTED if interrupts.asked else _sentence(error), 1)


def _sentence(error: Exception) -> str:
    """One line about an error that nobody expected; a disk that is full may show itself anywhere."""
    if isinstance(error, OSError):
        return str(StorageError.from_os(error))
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    reason = " ".join(str(error).split())[:MAX_REASON]
    return f"this is a fault of tensorgrade, please report it: {type(error).__name__}: {reason}{place}"


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
      tensorgrade lint                  find what does not fit together
      tensorgrade preview attention     see what students will see
      tensorgrade prove attention       show that the grader can be trusted
      tensorgrade calibrate attention   find the thresholds of checks that train
      tensorgrade release attention     make the student version
      tensorgrade grade attention       grade what was collected
      tensorgrade feedback attention    write the students' feedback
      tensorgrade hub                   start a JupyterHub on this machine
      tensorgrade roster import FILE    bring the students of the LMS's list
      tensorgrade passback attention    send grades to the LMS
      tensorgrade export --to csv       write grades to a file
      tensorgrade submit attention      hand in on a hub, with a token
    """


for _command in (
    doctor,
    lint,
    preview,
    prove,
    calibrate,
    release,
    grade,
    feedback,
    award,
    hub,
    grading_page,
    exchange,
    exchange_backup,
    exchange_retire,
    roster,
    passback,
    export,
    submit,
):
    commands.add_command(_command)
