"""The minute before a deadline: everybody at once, kills, a full disk, slow and broken clients."""

from __future__ import annotations

import os
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.exchange import hub_of_students, lost, rush
from tests.running_exchange import (
    API,
    TINY_PLACE,
    Asker,
    archive_of,
    audit_of,
    kill_exchange,
    kill_under_load,
    wait_until_up,
)
from tests.running_hub import SECONDS, Hub

pytestmark = pytest.mark.proof
STUDENTS = [f"s{number:03}" for number in range(500)]


@pytest.fixture(scope="module")
def course() -> Iterator[tuple[Hub, list[Asker]]]:
    """A hub with a course of 500, all of them with tokens."""
    with hub_of_students(len(STUDENTS)) as started:
        yield started


@pytest.fixture(scope="module")
def hub(course: tuple[Hub, list[Asker]]) -> Hub:
    """The hub."""
    return course[0]


@pytest.fixture(scope="module")
def people(course: tuple[Hub, list[Asker]]) -> dict[str, Asker]:
    """Everybody, by name."""
    return {asker.user: asker for asker in course[1]}


def release(iris: Asker, place: str) -> str:
    """Let an assignment out."""
    assert iris.ask("PUT", place, data=archive_of()).status_code == 200
    return place


def told(waits: list[float]) -> str:
    """What was measured."""
    cuts = statistics.quantiles(waits, n=20)
    return f"{len(waits)} submissions: median {cuts[9]:.2f} s, p95 {cuts[18]:.2f} s, longest {max(waits):.2f} s"


def test_five_hundred_at_once(people: dict[str, Asker], capsys: pytest.CaptureFixture[str]) -> None:
    """200 kB each, all at the same moment, nobody known to the exchange yet: each gets a receipt."""
    found = rush([people[user] for user in STUDENTS], TINY_PLACE, 200_000, 0)
    assert found.errors == []
    listed = people["iris"].ask("GET", "/submissions", params={"course": "dl101"}).json()["submissions"]
    assert {one["student"]: one["receipt"] for one in listed} == {
        user: receipt for user, (_, receipt) in found.receipts.items()
    }
    with capsys.disabled():
        sys.stdout.write(f"\nat once, {told(found.waits)}\n")


def test_three_hundred_in_ten_seconds_and_a_kill(
    hub: Hub, people: dict[str, Asker], capsys: pytest.CaptureFixture[str]
) -> None:
    """Then kill -9: every receipt leads to its bytes."""
    place = release(people["iris"], "/courses/dl101/assignments/rush")
    found = rush([people[user] for user in STUDENTS[:300]], place, 200_000, 10)
    kill_exchange(hub)
    wait_until_up(hub)
    assert (found.errors, lost(list(people.values()), found)) == ([], [])
    with capsys.disabled():
        sys.stdout.write(f"\nin ten seconds, {told(found.waits)}\n")


def test_thirty_kills_lose_nothing(hub: Hub, people: dict[str, Asker], capsys: pytest.CaptureFixture[str]) -> None:
    """Kill -9 at thirty moments that nobody chose, while five students hand in."""
    place = release(people["iris"], "/courses/dl101/assignments/kills")
    count = kill_under_load(hub, [people[user] for user in STUDENTS[:5]], people["iris"], place, 30, 0.5)
    assert count > 30
    with capsys.disabled():
        sys.stdout.write(f"\n{count} receipts, 30 kills, none lost, none twice\n")


def test_a_large_notebook(people: dict[str, Asker]) -> None:
    """50 MB that do not pack are taken, and come back."""
    data = archive_of({"tiny.ipynb": os.urandom(50_000_000)})
    answer = people["s000"].submit(data)
    assert answer.status_code == 201
    assert people["s000"].ask("GET", f"/submissions/{answer.json()['receipt']}/files").content == data


def test_slow_and_broken_clients_hold_up_nobody(hub: Hub, people: dict[str, Asker]) -> None:
    """Two hundred uploads crawl and break off: others hand in meanwhile, and nothing is left of them."""
    incoming = hub.state / "exchange-service" / "incoming"
    with ExitStack() as slow:
        connections = [slow.enter_context(crawl(hub, people[user])) for user in STUDENTS[:200]]
        deadline = time.monotonic() + SECONDS
        while len(list(incoming.iterdir())) < len(connections):
            answered = select.select(connections, [], [], 0.1)[0]
            assert [one.recv(1000) for one in answered] == []  # an upload that is not at its end has no answer
            assert time.monotonic() < deadline, f"{len(list(incoming.iterdir()))} came; {audit_of(hub)[-5:]}"
        assert people["s400"].submit(archive_of({"tiny.ipynb": b"meanwhile"})).status_code == 201
    while list(incoming.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def crawl(hub: Hub, asker: Asker) -> socket.socket:
    """A connection over which two bytes of an upload have come."""
    connection = socket.create_connection(("127.0.0.1", hub.port), timeout=SECONDS)
    head = f"POST {API}{TINY_PLACE}/submissions HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
    connection.sendall(f"{head}Authorization: token {asker.token}\r\n\r\nxx".encode())
    return connection


FULL = """
import os, sys
from pathlib import Path
from tensorgrade.hub.exchange.application import open_service
from tensorgrade.hub.exchange.storage import Part
from tensorgrade.errors import StorageError
from tests.running_exchange import archive_of

service = open_service(Path(sys.argv[1]), Path("/full"))
def part(size):
    made = Part(service.store.incoming)
    made.write(archive_of({"tiny.ipynb": os.urandom(size)}))
    return made
service.records.release("dl101", "tiny", service.keep(part(1), "assignments", "dl101"), None, force=False)
given, refused = [], 0
while refused < 20:
    made = None
    try:
        made = part(60_000)
        given.append(service.hand_in(made, "dl101", "tiny", "ada", None)[0])
    except (OSError, StorageError) as error:
        refused += 1
    finally:
        if made: made.close()
service.close()
again = open_service(Path(sys.argv[1]), Path("/full"))
kept = {one.id: one for one in again.records.submissions()}
assert len(given) > 10 and set(kept) == {one.id for one in given}, (len(given), len(kept))
for one in given:
    with again.store.open(one.stored) as file:
        assert len(file.read()) == one.size
for key in list(again.store.all_keys())[:5]:
    again.store.remove(key)
again.hand_in(part(60_000), "dl101", "tiny", "ada", None)
print("held", len(given))
"""


def test_a_full_disk_takes_no_more_and_loses_nothing(tmp_path: Path) -> None:
    """On a disk of 4 MB: what has a receipt is there after a start, what has none was refused; with room it goes on."""
    (tmp_path / "courses.toml").write_text('[dl101]\ntitle = "T"\nfolder = "."\ninstructors = ["iris"]\n')
    room = ["bwrap", "--dev-bind", "/", "/", "--size", "4000000", "--tmpfs", "/full"]
    done = subprocess.run(
        [*room, sys.executable, "-c", FULL, str(tmp_path)],
        env={**os.environ, "JUPYTERHUB_SERVICE_NAME": "exchange"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "held" in done.stdout, done.stderr
