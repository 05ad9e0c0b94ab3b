"""`tensorgrade exchange`."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import click


@click.command(hidden=True)
@click.argument("config", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Where everything is kept that is handed in.",
)
def exchange(config: Path, state: Path) -> int:
    """Serve the exchange of the courses in CONFIG (courses.toml, exchange.toml); a hub starts this.

    \b
    Example:
      tensorgrade exchange hub_config --state /srv/exchange
    """
    from tensorgrade.hub.exchange.server import serve

    logging.basicConfig(level=logging.INFO, format="[exchange %(levelname)s] %(message)s")
    os.umask(0o077)  # what it writes is for its own account
    serve(config, state)
    return 0
