"""What the exchange bears: so many people hand in within a moment, each a file that does not pack.

    .venv/bin/python -m benchmarks.exchange --students 500

The hub is a fresh one on this machine, on the loopback address; people ask through its proxy, as they always do. In the
first round the exchange has seen nobody before and asks the hub about each of them, in the second one it knows them. In
the end every receipt has to lead to the bytes for which it was given. Every request has a time limit, and everything
ends with the command.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from benchmarks.hub import at
from tests.running_exchange import TINY_PLACE, Asker, archive_of
from tests.running_hub import SECONDS, Hub, hub_of_two_courses

COURSE = '[dl101]\ntitle = "Deep learning"\nfolder = "courses/dl101"\ninstructors = ["iris"]\nstudents = {}\n'
LOADER = secrets.token_hex(16)
# Passwords of 500 people would take minutes to make; and somebody who makes tokens for them.
MORE = f"""
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.services.append({{"name": "loader", "api_token": {LOADER!r}}})
c.JupyterHub.load_roles.append({{"name": "loader", "services": ["loader"], "scopes": ["tokens"]}})
"""


def main() -> int:
    """Measure, print the table; 1 if anybody met an error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=500)
    parser.add_argument("--kilobytes", type=int, default=200, help="of each submission")
    parser.add_argument("--within", type=float, default=0.0, metavar="SECONDS", help="all begin within so long")
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args()
    with hub_of_students(options.students) as (_, people):
        students = people[1:]
        size = 1000 * options.kilobytes
        rounds = {
            title: rush(students, TINY_PLACE, size, options.within) for title in ("unknown people", "known people")
        }
        errors = [f"{title}, {error}" for title, one in rounds.items() for error in one.errors]
        errors += [error for one in rounds.values() for error in lost(students, one)]
    text = "\n".join([*table(rounds, options), *errors])
    print(text)  # noqa: T201
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")
    return 1 if errors else 0


@contextmanager
def hub_of_students(count: int) -> Iterator[tuple[Hub, list[Asker]]]:
    """A hub of one course, whose assignment is out; with the instructor, then so many students, each with a token."""
    names = [f"s{number:03}" for number in range(count)]
    with hub_of_two_courses(COURSE.format(json.dumps(names)), more=MORE) as hub, requests.Session() as loader:
        loader.headers["Authorization"] = f"token {LOADER}"
        people = []
        for name in ("iris", *names):
            answer = loader.post(f"{hub.address}/hub/api/users/{name}/tokens", json={}, timeout=SECONDS)
            answer.raise_for_status()
            people.append(Asker(name, hub, str(answer.json()["token"])))
        people[0].ask("PUT", TINY_PLACE, data=archive_of()).raise_for_status()
        yield hub, people


@dataclass(frozen=True)
class Rush:
    """What came of it.

    Attributes:
        waits: of each who got a receipt, seconds.
        receipts: by student, what was sent and the receipt.
        errors: a line for each who got none.
    """

    waits: list[float] = field(default_factory=list)
    receipts: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


def rush(askers: Sequence[Asker], place: str, size: int, within: float) -> Rush:
    """All hand in, each once, each other bytes.

    Args:
        askers: the students.
        place: the assignment.
        size: bytes of each submission, before it is packed; they do not pack.
        within: seconds in which all begin; 0: at the same moment.
    """
    start, found = threading.Barrier(len(askers)), Rush()

    def hand_in(asker: Asker) -> None:
        data = archive_of({"tiny.ipynb": os.urandom(size)})
        start.wait(SECONDS)
        time.sleep(random.uniform(0, within))  # noqa: S311 - no secret
        began = time.monotonic()
        try:
            answer = asker.submit(data, place)
            if answer.status_code != requests.codes.created:
                raise AssertionError(f"{answer.status_code} {answer.text[:200]}")
        except (requests.RequestException, AssertionError) as error:
            found.errors.append(f"{asker.user}: {type(error).__name__}: {str(error)[:300]}")
            return
        found.waits.append(time.monotonic() - began)
        found.receipts[asker.user] = (data, str(answer.json()["receipt"]))

    with ThreadPoolExecutor(len(askers)) as pool:
        list(pool.map(hand_in, askers))
    return found


def lost(askers: Sequence[Asker], found: Rush) -> list[str]:
    """A line for each receipt that does not lead to its bytes."""
    by_name = {asker.user: asker for asker in askers}
    return [
        f"{user}: the receipt {receipt} does not lead to what was handed in"
        for user, (data, receipt) in found.receipts.items()
        if by_name[user].ask("GET", f"/submissions/{receipt}/files").content != data
    ]


def table(rounds: dict[str, Rush], options: argparse.Namespace) -> list[str]:
    """Markdown: the seconds of each round."""
    when = f"within {options.within:g} seconds" if options.within else "at the same moment"
    lines = [
        f"{options.students} people hand in {options.kilobytes} kB each, {when}; seconds until the receipt.",
        "",
        "| round | receipts | errors | p50 | p95 | max |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for title, found in rounds.items():
        figures = [at(found.waits, 0.5), at(found.waits, 0.95), max(found.waits, default=float("nan"))]
        count = f"{len(found.waits)} | {len(found.errors)}"
        lines.append(f"| {title} | {count} | {' | '.join(f'{value:.2f}' for value in figures)} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
