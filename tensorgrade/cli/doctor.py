"""`tensorgrade doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tensorgrade.cli.words import complain, sandbox_option
from tensorgrade.errors import SandboxError
from tensorgrade.sandbox.levels import Level

if TYPE_CHECKING:
    from tensorgrade.sandbox.mechanisms import Mechanism


@click.command()
@sandbox_option("The level whose boundaries are tried.")
def doctor(level: Level) -> int:
    """Try each boundary of the sandbox on this machine.

    First what the levels are built on, each by itself; then every boundary, by code in the sandbox
    that tries to cross it. Exits with 1 if the level is refused here, or one boundary does not hold.
    """
    from tensorgrade.sandbox.mechanisms import try_mechanisms
    from tensorgrade.sandbox.probe import try_boundaries

    console = Console()
    with console.status("trying what the levels are built on"):
        found = try_mechanisms()
    console.print(_mechanisms(found))
    try:
        with console.status("trying each boundary"):
            findings = try_boundaries(level)
    except SandboxError as error:
        complain(str(error))
        return 1
    table = Table(f"boundary of {level.name}", "holds", "what its attempt saw", "how to mend")
    for finding in findings:
        mend = "" if finding.holds else finding.mend
        table.add_row(finding.boundary, "yes" if finding.holds else "NO", escape(finding.seen), mend)
    console.print(table)
    return 0 if all(finding.holds for finding in findings) else 1


def _mechanisms(found: tuple[Mechanism, ...]) -> Table:
    table = Table("built on", "works", "how it was tried", "needed by", "how to mend")
    for one in found:
        mend = "" if one.works else one.mend
        needed = ", ".join(one.needed_by) or "no level; used where it works"
        table.add_row(one.name, "yes" if one.works else "no", escape(one.tried), needed, escape(mend))
    return table
