"""What whoever runs the exchange has: backup and restore, figures, and a database of PostgreSQL's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tensorgrade.errors import StorageError, UsageError
from tensorgrade.hub.exchange.application import open_service
from tensorgrade.hub.exchange.backup import back_up, check
from tensorgrade.hub.exchange.service import Service
from tests.commands import run
from tests.running_hub import ROOT
from tests.test_exchange_records import COURSE, open_again, part, service

__all__ = ["service"]  # the fixture
UNPRIVILEGED = 65_534  # nobody: PostgreSQL refuses to run as root


# Backup


def test_a_backup_taken_meanwhile_is_whole(service: Service, tmp_path: Path) -> None:
    """While submissions come in, a copy is made; restored, every record leads to its bytes."""
    stopped = threading.Event()

    def hand_in() -> None:
        while not stopped.is_set():
            service.hand_in(part(service, os.urandom(100)), "dl101", "tiny", "ada", None)

    sender = threading.Thread(target=hand_in)
    sender.start()
    try:
        for _ in range(3):
            back_up(tmp_path / "state", tmp_path / "copy")
    finally:
        stopped.set()
        sender.join()
    before = service.records.submissions()
    assert back_up(tmp_path / "state", tmp_path / "copy") <= len(before)
    shutil.copytree(tmp_path / "copy", tmp_path / "restored" / "state")
    shutil.copy(tmp_path / "courses.toml", tmp_path / "restored")
    again = open_again(tmp_path / "restored")
    assert again.records.submissions() == before
    for one in before:
        with again.store.open(one.stored) as file:
            assert len(file.read()) == one.size
    again.close()


def test_a_copy_that_is_not_whole_is_noticed(service: Service, tmp_path: Path) -> None:
    """A file that is missing or has changed is named, by the command too."""
    service.hand_in(part(service), "dl101", "tiny", "ada", None)
    state, copy = tmp_path / "state", tmp_path / "copy"
    (state / "audit.log-20260201-1769904000").write_text("{}\n")
    done = run(tmp_path, "tensorgrade", "exchange-backup", str(state), str(copy))
    assert done.stdout.splitlines() == [f"2 new files copied to {copy}", "2 files are as they were handed in"]
    assert (copy / "audit.log-20260201-1769904000").read_text() == "{}\n"
    [file] = (copy / "objects" / "submissions").rglob("*.tar.gz")
    good = file.read_bytes()
    file.write_bytes(good[:-1] + b"x")
    with pytest.raises(StorageError, match="other bytes than were handed in"):
        check(copy)
    file.unlink()
    assert "missing. This copy is not whole" in run(tmp_path, "tensorgrade", "exchange-backup", str(copy)).stderr
    with pytest.raises(UsageError, match=r"no exchange\.sqlite here"):
        back_up(tmp_path, copy)


# The log


WRITER = """
import itertools, sys, time
from pathlib import Path
from tensorgrade.hub.exchange.service import Audit
log, who, stop = sys.argv[1:]
audit = Audit(Path(log))
for number in itertools.count():
    audit.write("handed in", who=who, number=number)
    time.sleep(0.0005)
    if Path(stop).exists():
        sys.exit(0)
"""
WRITERS = ("exchange-retire", "service")


def test_rotating_the_log_loses_no_line(tmp_path: Path) -> None:
    """While two processes write, logrotate does as hub_config says: both go on in the new file, each line is there."""
    program = shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("no logrotate here. On Debian and Ubuntu: apt-get install logrotate")
    state, settings, stop = tmp_path / "state", tmp_path / "rotate", tmp_path / "stop"
    state.mkdir(mode=0o700)
    text = (ROOT / "hub_config" / "logrotate" / "tensorgrade-exchange").read_text()
    settings.write_text(text.replace("/var/lib/tensorgrade-hub/exchange-service", str(state)))
    command = [sys.executable, "-c", WRITER, str(state / "audit.log")]
    writers = [subprocess.Popen([*command, who, str(stop)], cwd=ROOT) for who in WRITERS]
    try:
        wait_for_lines_of_both(state / "audit.log")
        rotate = [program, "--force", "--state", str(tmp_path / "rotated"), str(settings)]
        subprocess.run(rotate, check=True, capture_output=True)
        wait_for_lines_of_both(state / "audit.log")
    finally:
        stop.touch()
    assert [writer.wait(60) for writer in writers] == [0, 0]
    files = list(state.glob("audit.log*"))
    assert len(files) == 2
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    for who in WRITERS:
        numbers = sorted(line["number"] for line in lines if line["who"] == who)
        assert numbers == list(range(len(numbers)))


def wait_for_lines_of_both(file: Path) -> None:
    """Until both have written into this one."""
    deadline = time.monotonic() + 60
    while not all(f'"{who}"' in (file.read_text() if file.exists() else "") for who in WRITERS):
        assert time.monotonic() < deadline
        time.sleep(0.05)


# PostgreSQL


@dataclass
class Postgres:
    """A server of its own, reached over a socket in its folder."""

    programs: Path
    folder: Path

    @property
    def url(self) -> str:
        """For SQLAlchemy."""
        return f"postgresql+pg8000://exchange@/postgres?unix_sock={self.folder}/.s.PGSQL.5432"

    def control(self, *words: str) -> None:
        """Start or stop it."""
        program = [str(self.programs / "pg_ctl"), "-D", str(self.folder / "data"), "-w", *words]
        subprocess.run(as_nobody(program), check=True, capture_output=True, timeout=120, cwd=self.folder)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.control("-o", f"-k {self.folder} -c listen_addresses=", "-l", str(self.folder / "log"), "start")


def as_nobody(program: list[str]) -> list[str]:
    """Root has to become somebody else first."""
    if os.geteuid() != 0:
        return program
    who = ("--reuid", str(UNPRIVILEGED), "--regid", str(UNPRIVILEGED), "--clear-groups")
    return ["setpriv", *who, "--", *program]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A real server, from the distribution's package."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("no PostgreSQL here. On Debian and Ubuntu: apt-get install postgresql")
    with own_folder() as folder:
        server = Postgres(found[-1].parent, folder)
        program = [str(found[-1]), "-D", str(folder / "data"), "-U", "exchange", "-A", "trust", "--no-sync"]
        subprocess.run(as_nobody(program), check=True, capture_output=True, timeout=120, cwd=folder)
        server.start()
        yield server
        server.control("-m", "immediate", "stop")


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder under a short name (a socket's path has 107 bytes) that the server's account can open."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    if os.geteuid() == 0:
        os.chown(folder, UNPRIVILEGED, UNPRIVILEGED)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def on_postgres(postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The exchange with its records there."""
    monkeypatch.setenv("JUPYTERHUB_SERVICE_NAME", "exchange")
    (tmp_path / "courses.toml").write_text(COURSE)
    (tmp_path / "exchange.toml").write_text('[service]\ndatabase_file = "database-url"\n')
    (tmp_path / "database-url").write_text(postgres.url)
    (tmp_path / "database-url").chmod(0o600)
    opened = open_service(tmp_path, tmp_path / "state")
    opened.records.release("dl101", "tiny", opened.keep(part(opened), "assignments", "dl101"), None, force=True)
    yield opened
    opened.close()


def test_postgresql_keeps_the_same_promises(on_postgres: Service, tmp_path: Path) -> None:
    """Migrations, numbers without a gap for many at once, one receipt for the same one twice."""
    senders = [threading.Thread(target=lambda n=n: hand_in(on_postgres, str(n).encode(), "eve")) for n in range(12)]  # type: ignore[misc]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert [one.number for one in on_postgres.records.submissions(student="eve")] == list(range(1, 13))
    last = on_postgres.records.submissions(student="eve")[-1]
    hand_in(on_postgres, b"again", "eve")
    hand_in(on_postgres, b"again", "eve")
    assert on_postgres.records.submissions(student="eve")[-1].number == last.number + 1
    assert not (tmp_path / "state" / "exchange.sqlite").exists()


@pytest.mark.parametrize("seconds", [1, pytest.param(10, marks=pytest.mark.proof)])
def test_postgresql_may_be_gone_for_a_while(on_postgres: Service, postgres: Postgres, seconds: int) -> None:
    """The server is killed and comes back: a submission that arrives meanwhile is taken, once."""
    before = len(on_postgres.records.submissions())
    postgres.control("-m", "immediate", "stop")
    sender = threading.Thread(target=lambda: hand_in(on_postgres, str(seconds).encode(), "bob"))
    sender.start()
    time.sleep(seconds)
    assert sender.is_alive()
    postgres.start()
    sender.join(60)
    assert len(on_postgres.records.submissions()) == before + 1


def test_the_databases_address_is_a_secret(on_postgres: Service, tmp_path: Path) -> None:
    """A file that others can read, or that is not there, is refused."""
    (tmp_path / "database-url").chmod(0o644)
    with pytest.raises(UsageError, match="database-url: others may read this secret"):
        open_service(tmp_path, tmp_path / "state")
    (tmp_path / "database-url").unlink()
    with pytest.raises(UsageError, match="database-url: cannot be read"):
        open_service(tmp_path, tmp_path / "state")


def hand_in(service: Service, text: bytes, student: str) -> None:
    """One submission."""
    service.hand_in(part(service, text), "dl101", "tiny", student, None)
