"""`tensorgrade doctor`."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table


@click.command()
def doctor() -> int:
    """Try each boundary of the sandbox on this machine.

    Every row is an attempt that was really made, by code in the sandbox. Exits with 1 if one
    boundary does not hold.
    """
    from tensorgrade.sandbox.probe import try_boundaries

    console = Console()
    with console.status("trying each boundary"):
        findings = try_boundaries()
    table = Table("boundary", "holds", "what was seen", "how to mend")
    for finding in findings:
        mend = "" if finding.holds else finding.mend
        table.add_row(finding.boundary, "yes" if finding.holds else "NO", finding.seen, mend)
    console.print(table)
    return 0 if all(finding.holds for finding in findings) else 1
