"""`tensorgrade exchange-retire`."""

from __future__ import annotations

import os
from pathlib import Path

import click


@click.command("exchange-retire")
@click.argument("config", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("state", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def exchange_retire(config: Path, state: Path, *, dry_run: bool) -> int:
    """Remove the files of submissions and feedback that are older than `keep_days` in CONFIG/exchange.toml.

    STATE is exchange-service in the hub's state; the hub may run. Who handed in what and when stays on record, and so
    does every receipt; whoever asks for the files is told that they were removed. Copies that exchange-backup has made
    are not touched. Run it as root, or as the account that owns STATE.

    \b
    Examples:
      tensorgrade exchange-retire hub_config /var/lib/tensorgrade-hub/exchange-service --dry-run
      tensorgrade exchange-retire hub_config /var/lib/tensorgrade-hub/exchange-service
    """
    from tensorgrade.hub.exchange.retention import lines_on, retiring

    os.umask(0o077)  # what it writes is for the exchange's account
    with retiring(config, state) as (old, retire):
        for line in lines_on(old):
            click.echo(line)
        if not dry_run:
            retire()
        click.echo(f"{len(old)} {'would be' if dry_run else 'are'} removed")
    return 0
