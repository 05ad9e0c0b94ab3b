"""What the exchange writes down, and that it does so once, in order, and whole: without a hub, on a real database."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from tensorgrade.errors import StorageError, UsageError
from tensorgrade.hub.applications import Current
from tensorgrade.hub.exchange import database
from tensorgrade.hub.exchange.application import open_service
from tensorgrade.hub.exchange.metrics import Metrics
from tensorgrade.hub.exchange.nouns import HandIn, Kept, Refused, latest, utc_now
from tensorgrade.hub.exchange.server import BODY_BYTES, Starting, serve
from tensorgrade.hub.exchange.service import Service, Uploads
from tensorgrade.hub.exchange.storage import Part
from tensorgrade.hub.exchange.tables import metadata
from tests.running_exchange import archive_of

COURSE = '[dl101]\ntitle = "T"\nfolder = "."\ninstructors = ["iris"]\nstudents = ["ada"]\n'


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The exchange behind its interface, with one assignment."""
    (tmp_path / "courses.toml").write_text(COURSE)
    monkeypatch.setenv("JUPYTERHUB_SERVICE_NAME", "exchange")
    opened = open_again(tmp_path)
    opened.records.release("dl101", "tiny", opened.keep(part(opened), "assignments", "dl101"), None, force=False)
    yield opened
    opened.close()


def open_again(folder: Path) -> Service:
    """The same exchange after a start."""
    return open_service(folder, folder / "state")


def part(service: Service, text: bytes = b"x") -> Part:
    """An upload that has come."""
    made = Part(service.store.incoming)
    made.write(archive_of({"tiny.ipynb": text}))
    made.flush()
    return made


def test_the_migrations_make_the_tables(service: Service) -> None:
    """What alembic has made is what the code expects."""
    with service.records.database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_many_at_once_get_one_number_each(service: Service) -> None:
    """Twenty submissions of one student at the same moment: twenty numbers, none twice and none left out."""
    with ThreadPoolExecutor(20) as pool:
        made = pool.map(
            lambda n: service.hand_in(part(service, str(n).encode()), "dl101", "tiny", "ada", None), range(20)
        )
        numbers = [submission.number for submission, _ in made]
    assert sorted(numbers) == list(range(1, 21))


def test_the_same_one_twice_at_once_is_one(service: Service) -> None:
    """A client that has sent it twice gets the same receipt twice."""
    with ThreadPoolExecutor(10) as pool:
        made = list(pool.map(lambda _: service.hand_in(part(service), "dl101", "tiny", "ada", "key"), range(10)))
    assert len({submission.id for submission, _ in made}) == 1
    assert [is_new for _, is_new in made].count(True) == 1
    assert len(service.records.submissions()) == 1


def test_a_clock_that_jumps_back_changes_no_order(service: Service) -> None:
    """The submission that came last is the last one, whatever the clock said; each has the time that was shown."""
    noon = datetime(2026, 2, 3, 12)
    service.records.set_due("dl101", "tiny", noon)
    for number, hours in enumerate((0.5, -20, 2), start=1):
        jumped = replace(service, clock=lambda hours=hours: noon + timedelta(hours=hours))  # type: ignore[misc]
        submission, _ = jumped.hand_in(part(service, str(hours).encode()), "dl101", "tiny", "ada", None)
        assert submission.number == number
        assert submission.seconds_late == max(0, hours * 3600)
    found = service.records.submissions(student="ada")
    assert [one.number for one in found] == [1, 2, 3]
    assert latest(found)["dl101", "tiny", "ada"].number == 3


def test_who_waits_for_others_is_not_late(service: Service) -> None:
    """What counts is when it had come, not when somebody had the time to look at it; after the due date, it is late."""
    noon = datetime(2026, 2, 3, 12)
    service.records.set_due("dl101", "tiny", noon)
    strict = {"dl101": replace(service.courses["dl101"], late_hours=0)}
    busy = replace(service, clock=lambda: noon + timedelta(minutes=10), courses=strict)
    submission, _ = busy.hand_in(part(service), "dl101", "tiny", "ada", None, noon)
    assert (submission.received_at, submission.seconds_late) == (noon, 0)
    late = part(service, b"late")
    with pytest.raises(Refused, match="it was taken until"):
        busy.hand_in(late, "dl101", "tiny", "ada", None, noon + timedelta(seconds=1))
    late.close()


def test_what_comes_while_the_exchange_starts_is_told_to_come_again() -> None:
    """A large body is read to its end and forgotten: a connection that is cut would not be asked again."""

    async def answer() -> HTTPResponse:
        first = Application([(r".*", Starting, {"prefix": "/x", "ready": asyncio.Event()})])
        server = HTTPServer(first, max_body_size=BODY_BYTES)
        [socket] = bind_sockets(0, "127.0.0.1")
        server.add_socket(socket)
        client = AsyncHTTPClient(force_instance=True)
        address = f"http://127.0.0.1:{socket.getsockname()[1]}/x/api/courses/dl101/assignments/tiny/submissions"
        try:
            return await client.fetch(address, method="POST", body=bytes(100 * BODY_BYTES), raise_error=False)
        finally:
            client.close()
            server.stop()
            await server.close_all_connections()

    found = asyncio.run(answer())
    assert (found.code, found.headers["Retry-After"]) == (503, "2")


class Ready(RequestHandler):  # type: ignore[misc]  # tornado's
    """What serves once it has loaded."""

    def post(self) -> None:
        """Take it."""
        self.finish("taken")


def test_a_connection_that_saw_the_start_gets_what_serves_now() -> None:
    """The hub's proxy keeps its connections: who hands in over one of them later is not told to come again."""

    async def answers() -> list[int]:
        current = Current(Application([(r".*", Starting, {"prefix": "/x", "ready": asyncio.Event()})]))
        server = HTTPServer(current)
        [socket] = bind_sockets(0, "127.0.0.1")
        server.add_socket(socket)
        loop, connection = asyncio.get_running_loop(), HTTPConnection("127.0.0.1", socket.getsockname()[1], timeout=30)

        def ask() -> int:
            connection.request("POST", "/x/api/courses/dl101/assignments/tiny/submissions", body=b"xx")
            answer = connection.getresponse()
            answer.read()
            return answer.status

        try:
            before = await loop.run_in_executor(None, ask)
            current.application = Application([(r".*", Ready)])
            return [before, await loop.run_in_executor(None, ask)]
        finally:
            connection.close()
            server.stop()
            await server.close_all_connections()

    assert asyncio.run(answers()) == [503, 200]


def test_what_a_kill_has_left_is_swept_away(service: Service, tmp_path: Path) -> None:
    """Bytes without a receipt are set aside at the next start, those with one stay."""
    kept, _ = service.hand_in(part(service, b"kept"), "dl101", "tiny", "ada", None)
    left = service.keep(part(service, b"no record"), "submissions", "dl101", "tiny", "ada")
    half = part(service, b"half")
    assert len(list(service.store.all_keys())) == 3
    again = open_again(tmp_path)
    assert set(again.store.all_keys()) == again.records.stored()
    with again.store.open(kept.stored) as file:
        assert file.read() == archive_of({"tiny.ipynb": b"kept"})
    assert (tmp_path / "state" / "orphans" / left.stored).read_bytes() == archive_of({"tiny.ipynb": b"no record"})
    assert not half.path.exists()
    half.close()
    again.close()


def test_with_another_database_nothing_is_swept_away(service: Service, tmp_path: Path) -> None:
    """An exchange whose database knows nothing of the submissions does not start, and they stay where they are."""
    kept, _ = service.hand_in(part(service), "dl101", "tiny", "ada", None)
    service.records.database.close()
    for file in (tmp_path / "state").glob("exchange.sqlite*"):
        file.unlink()
    with pytest.raises(UsageError, match="the database knows none"):
        open_again(tmp_path)
    with service.store.open(kept.stored) as opened:
        assert opened.read() == archive_of({"tiny.ipynb": b"x"})


def test_what_is_refused_takes_no_disk(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt's name with other files, and one too many that came at the same time, leave no bytes behind."""
    service.hand_in(part(service), "dl101", "tiny", "ada", "key")
    before = set(service.store.all_keys())
    other, second = part(service, b"other"), part(service, b"second")
    with pytest.raises(Refused, match="used for other files"):
        service.hand_in(other, "dl101", "tiny", "ada", "key")
    service.records._quota = replace(service.records._quota, submissions=1)
    monkeypatch.setattr(service.records, "require_room", lambda *_: 0)  # as it was before the first one came
    for upload in (second, part(service)):
        with suppress(Refused):
            service.hand_in(upload, "dl101", "tiny", "ada", None)
    assert set(service.store.all_keys()) == before
    for upload in (other, second):
        upload.close()


def test_a_student_has_two_uploads_at_a_time() -> None:
    """A third one waits; who has ended is forgotten."""
    uploads = Uploads()
    assert [uploads.begin(who) for who in ("ada", "ada", "ada", "bob")] == [True, True, False, True]
    uploads.end("ada")
    assert uploads.begin("ada")


def test_figures_grow_with_no_word_of_a_request() -> None:
    """A method that somebody has made up is counted as another one."""
    metrics = Metrics()
    for method in ("GET", "MADEUP"):
        metrics.answered(method, 405, 0.1)
    assert b'method="GET"' in metrics.text()
    assert b'method="other"' in metrics.text()
    assert b"MADEUP" not in metrics.text()


def test_two_exchanges_do_not_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one ends at once: it would sweep away the first one's uploads."""
    names = ("API_TOKEN", "API_URL", "CLIENT_ID", "SERVICE_NAME", "SERVICE_PREFIX", "SERVICE_URL")
    for name in names:
        monkeypatch.setenv(f"JUPYTERHUB_{name}", "http://127.0.0.1:9/x")
    code = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print('locked', flush=True); input()"
    (tmp_path / "courses.toml").write_text(COURSE)
    program = [sys.executable, "-c", code, str(tmp_path / "lock")]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(UsageError, match="another exchange runs here"):
            serve(tmp_path, tmp_path)
        other.communicate(b"\n")
    monkeypatch.delenv("JUPYTERHUB_API_URL")
    with pytest.raises(UsageError, match="JUPYTERHUB_API_URL is not set: the exchange is started by the hub"):
        serve(tmp_path, tmp_path)


@pytest.mark.parametrize("seconds", [1, pytest.param(10, marks=pytest.mark.proof)])
def test_a_database_that_is_away_is_waited_for(service: Service, tmp_path: Path, seconds: int) -> None:
    """While somebody else holds the database, a submission waits; then it is taken, once."""
    with closing(sqlite3.connect(tmp_path / "state" / "exchange.sqlite", isolation_level=None)) as other:
        other.execute("begin exclusive")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(service.hand_in, part(service), "dl101", "tiny", "ada", None)
            time.sleep(seconds)
            assert not waiting.done()
            other.execute("rollback")
            submission, is_new = waiting.result(timeout=60)
    assert (submission.number, is_new) == (1, True)


def test_a_database_that_stays_away_is_an_error(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody waits for ever, and nothing is half written."""
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.5)
    (tmp_path / "state" / "exchange.sqlite").rename(tmp_path / "elsewhere")
    service.records.database.close()
    (tmp_path / "state" / "exchange.sqlite").mkdir()
    with pytest.raises(StorageError, match="the exchange's database cannot be used"):
        service.records.submissions()


def test_quotas_count_what_one_student_has(service: Service) -> None:
    """Number and bytes, of this student in this course; refused before anything is stored."""
    quota = replace(service.records._quota, submissions=2, bytes=1000)
    service.records._quota = quota
    noise = part(service, os.urandom(2000))
    with pytest.raises(Refused, match="no more is taken"):
        service.hand_in(noise, "dl101", "tiny", "ada", None)
    noise.close()
    assert len(list(service.store.all_keys())) == 1
    for text in (b"1", b"2"):
        service.hand_in(part(service, text), "dl101", "tiny", "ada", None)
    third = part(service, b"3")
    with pytest.raises(Refused, match="2 times"):
        service.hand_in(third, "dl101", "tiny", "ada", None)
    third.close()
    service.hand_in(part(service, b"1"), "dl101", "tiny", "bob", None)


def test_what_was_kept_is_on_the_disk_before_it_is_written_down(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The file, its name and every new folder are synced, in this order, before the records know of them."""
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    upload = part(service)
    kept = service.keep(upload, "submissions", "dl101", "tiny", "ada")
    root = tmp_path / "state" / "objects"
    place = (root / kept.stored).parent
    assert synced[0] == str(upload.path)
    assert set(synced[1:]) >= {str(folder) for folder in (place, *place.parents) if folder.is_relative_to(root)}


def test_a_record_names_what_was_handed_in(service: Service) -> None:
    """The number of the receipt leads to the bytes; who asks for another one is told so."""
    kept = Kept("0" * 64, 3, "stored", ("a.ipynb", "b.txt"))
    submission, _ = service.records.hand_in(HandIn("dl101", "tiny", "ada", None, utc_now(), kept))
    assert service.records.submission(submission.id).notebooks == ("a",)
    with pytest.raises(Refused, match="no submission has this receipt"):
        service.records.submission("0" * 32)
