"""`tensorgrade exchange-backup`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("exchange-backup")
@click.argument("state", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("to", type=click.Path(file_okay=False, path_type=Path), required=False)
def exchange_backup(state: Path, to: Path | None) -> int:
    """Copy what was handed in from STATE (exchange-service in the hub's state) to the folder TO; the hub may run.

    Into a folder that holds an older copy goes only what is new. Every file is compared with its content hash;
    without TO, those in STATE are. To restore: stop the hub, put the copy in the place of the folder, give it to
    the folder's account (chown), start the hub.

    \b
    Examples:
      tensorgrade exchange-backup /var/lib/tensorgrade-hub/exchange-service /backup/exchange
      tensorgrade exchange-backup /backup/exchange
    """
    from tensorgrade.hub.exchange.backup import back_up, check

    if to is not None:
        click.echo(f"{back_up(state, to)} new files copied to {to}")
    click.echo(f"{check(to or state)} files are as they were handed in")
    return 0
