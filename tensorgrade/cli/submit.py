"""`tensorgrade submit`."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import click

from tensorgrade.cli.words import complain
from tensorgrade.errors import UsageError

TOKEN = "TENSORGRADE_TOKEN"  # noqa: S105 - the name of a variable


@click.command()
@click.argument("assignment")
@click.argument("place", type=click.Path(exists=True, path_type=Path), default=".")
@click.option("--course", required=True, metavar="NAME", help="As the hub calls it, such as dl101.")
@click.option("--hub", required=True, metavar="URL", envvar="TENSORGRADE_HUB", help="Where you sign in.")
def submit(assignment: str, place: Path, course: str, hub: str) -> int:
    """Hand in PLACE (a notebook or a folder, default: this one) for ASSIGNMENT, without a server on the hub.

    The hub says who you are by a token, from the environment (TENSORGRADE_TOKEN) or asked for; make one at
    /hub/token. While the hub does not answer, it is asked again for a minute: what arrives twice is one
    submission. Prints the receipt and keeps it in a file beside PLACE.

    \b
    Examples:
      tensorgrade submit attention attention.ipynb --course dl101 --hub https://hub.example.edu
      tensorgrade submit attention work/attention --course dl101
    """
    from tensorgrade.hub.exchange.client import ExchangeClient
    from tensorgrade.hub.exchange.files import files_of, packed
    from tensorgrade.lms.service import require_secret

    require_secret(hub)  # the token is one
    files = [(place.name, place)] if place.is_file() else files_of(place, _coursedir(), logging.getLogger("submit"))
    if not files:
        raise UsageError(f"{place}: there is nothing to hand in")
    client = ExchangeClient(f"{hub.rstrip('/')}/services/exchange", _token())
    with packed(files) as archive:
        receipt = client.submit(course, assignment, archive)
    kept = place.resolve().parent / f"receipt-{course}-{assignment}-{receipt['number']}.json"
    kept.write_text(json.dumps(receipt, indent=1) + "\n", encoding="utf-8")
    click.echo(
        f"{assignment}, number {receipt['number']}, received {receipt['received']}: {', '.join(n for n, _ in files)}"
    )
    click.echo(f"receipt {receipt['receipt']}, kept in {kept}")
    if receipt["seconds_late"]:
        complain(f"late: it was due on {receipt['due']}")
    return 0


def _token() -> str:
    token = os.environ.get(TOKEN) or click.prompt("Token (from /hub/token)", hide_input=True)
    return str(token).strip()


def _coursedir() -> object:
    """Nbgrader's own settings of what is left out of a folder."""
    from nbgrader.coursedir import CourseDirectory

    found: object = CourseDirectory()
    return found
