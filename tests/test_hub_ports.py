"""The ports of the hub's services: nobody else gets one, and a service is there again on the one it had."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tensorgrade.errors import PlatformError, UsageError
from tensorgrade.hub.ports import HeldPorts, borrow
from tensorgrade.hub.room import home_of, room_command
from tensorgrade.hub.supervisor import FIRST_PAUSE, LONGEST_PAUSE, SETTLED_SECONDS, pause_after, supervised
from tests.running_hub import children_of, wait_until_gone
from tests.taker import taking

SECONDS = 30
# A service: it says which start of it answers, and which sockets a process that it has started has of it.
SERVICE = '''
import asyncio, os, pathlib, subprocess, sys
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler
from tensorgrade.hub.listening import listen

LOOK = """
import os
print([os.readlink(f"/proc/self/fd/{number}") for number in range(20) if os.path.exists(f"/proc/self/fd/{number}")])
"""
starts = pathlib.Path("starts")
starts.write_text(starts.read_text() + "x" if starts.exists() else "x")

class Answer(RequestHandler):
    def get(self):
        child = subprocess.run([sys.executable, "-c", LOOK], close_fds=False, capture_output=True, text=True)
        told = [name for name in os.environ if name.startswith("LISTEN")]
        self.finish({"start": len(starts.read_text()), "child": child.stdout.strip(), "told": told})

async def main():
    listen(HTTPServer(Application([(".*", Answer)])), sys.argv[1])
    await asyncio.Event().wait()

asyncio.run(main())
'''


@pytest.fixture
def ports() -> Iterator[HeldPorts]:
    """Ports that this process holds."""
    with tempfile.TemporaryDirectory(prefix="ports-", dir="/tmp") as folder:
        yield HeldPorts(Path(folder) / "ports.socket")


@pytest.fixture
def room(tmp_path: Path) -> list[str]:
    """A service's room, with a home of its own."""
    (tmp_path / "homes").mkdir()
    return room_command(home_of("service", tmp_path / "homes"), ())


def port_of(address: str) -> int:
    """The port in an address."""
    return urlsplit(address).port or 0


def python(room: list[str], name: str, ports: HeldPorts, code: str, *arguments: str) -> list[str]:
    """What the hub would run for a service that is written so."""
    return supervised(ports.door, name, room, [sys.executable, "-c", code, *arguments])


@pytest.fixture
def service(ports: HeldPorts, room: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The service under its supervisor, and its address."""
    address = ports.hold("service")
    started = subprocess.Popen(python(room, "service", ports, SERVICE, address), env={})
    yield started, address
    started.kill()
    started.wait(SECONDS)


def service_of(supervisor: int) -> int:
    """The process that serves."""
    for pid in children_of(supervisor):
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if words[0] == sys.executable.encode() and words[1] == b"-c":
                return pid
    raise AssertionError("no service runs")


# The port


def test_nobody_shares_a_port_that_is_held(ports: HeldPorts, room: list[str]) -> None:
    """No option of a socket takes it, not even for the same account."""
    held = port_of(ports.hold("service"))
    with taking(held) as same_account, taking(held, room) as in_room:
        for took in (same_account, in_room):
            tries, taken = took()
            assert (tries > 20, taken) == (True, "[]")


def test_a_port_that_is_free_is_taken(room: list[str]) -> None:
    """What the test above means: the same program gets any other port, also in a room."""
    for before in ([], room):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            number = free.getsockname()[1]
        with taking(number, before) as took:
            assert took() == (1, "[('127.0.0.1',)]")


def test_a_service_that_is_killed_is_there_again(service: tuple[subprocess.Popen[bytes], str], room: list[str]) -> None:
    """Who asks while it is away is answered by the next one; nobody gets its port meanwhile."""
    supervisor, address = service
    with taking(port_of(address), room) as took:
        for number in (1, 2, 3):
            assert requests.get(address, timeout=SECONDS).json()["start"] == number
            killed = service_of(supervisor.pid)
            os.kill(killed, signal.SIGKILL)
            wait_until_gone(killed)
        assert requests.get(address, timeout=SECONDS).json()["start"] == 4
        tries, taken = took()
    assert (tries > 100, taken) == (True, "[]")


def test_the_socket_is_not_passed_on(service: tuple[subprocess.Popen[bytes], str]) -> None:
    """What a service starts has no descriptor of it, and reads nothing of it in its environment."""
    answer = requests.get(service[1], timeout=SECONDS).json()
    assert "socket" not in answer["child"]
    assert answer["told"] == []


def test_the_port_stays_when_the_supervisor_is_killed(
    service: tuple[subprocess.Popen[bytes], str], ports: HeldPorts, room: list[str]
) -> None:
    """The hub has the socket; a supervisor that it starts anew goes on, and answers whoever has waited."""
    supervisor, address = service
    assert requests.get(address, timeout=SECONDS).json()["start"] == 1
    left = children_of(supervisor.pid)
    supervisor.kill()
    supervisor.wait(SECONDS)
    wait_until_gone(*left)
    with taking(port_of(address), room) as took:
        again = subprocess.Popen(python(room, "service", ports, SERVICE, address), env={})
        assert requests.get(address, timeout=SECONDS).json()["start"] == 2
        assert took()[1] == "[]"
    again.kill()
    again.wait(SECONDS)


# The supervisor


def test_a_supervisor_that_is_stopped_takes_its_service_along(service: tuple[subprocess.Popen[bytes], str]) -> None:
    """The status says that this was meant, and nothing of the room is left."""
    supervisor, address = service
    assert requests.get(address, timeout=SECONDS).status_code == 200
    running = children_of(supervisor.pid)
    supervisor.send_signal(signal.SIGINT)
    assert supervisor.wait(SECONDS) == 0
    wait_until_gone(*running)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_passed_on(ports: HeldPorts, number: signal.Signals) -> None:
    """What has no room around it hears the signal, and may end in its own time before its supervisor does."""
    ports.hold("service")
    block = f"import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [{int(number)}]); print('here', flush=True)"
    code = f"{block}; print(signal.sigtimedwait([{int(number)}], 10).si_signo, flush=True)"
    module = [sys.executable, "-I", "-m", "tensorgrade.hub.supervisor", str(ports.door), "service"]
    command = [*module, sys.executable, "-c", code]
    with subprocess.Popen(command, env={}, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == "here\n"
        supervisor.send_signal(number)
        said, _ = supervisor.communicate(timeout=SECONDS)
    assert (supervisor.returncode, said) == (0, f"{int(number)}\n")


def test_nobody_outlives_the_hub(ports: HeldPorts, room: list[str]) -> None:
    """Whoever has started a supervisor is killed: supervisor and service are killed too."""
    address = ports.hold("service")
    command = python(room, "service", ports, SERVICE, address)
    code = f"import subprocess; subprocess.Popen({command!r}, start_new_session=True).wait()"
    hub = subprocess.Popen([sys.executable, "-c", code], env={})
    assert requests.get(address, timeout=SECONDS).status_code == 200
    running = children_of(hub.pid)
    assert len(running) >= 3
    hub.kill()
    hub.wait(SECONDS)
    wait_until_gone(*running)


def test_a_service_that_cannot_start_is_left_to_the_hub(ports: HeldPorts, room: list[str]) -> None:
    """The supervisor ends with its status and says so; it does not try again and again."""
    ports.hold("service")
    done = subprocess.run(
        python(room, "service", ports, "raise SystemExit(7)"), env={}, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 7
    assert done.stderr.count("[supervisor] service: ended with status 7 after") == 1
    assert done.stderr.strip().endswith("left to the hub")


@pytest.mark.parametrize(
    ("status", "ran", "last", "pause"),
    [
        pytest.param(2, 0.5, 0.0, None, id="a wrong setting"),
        pytest.param(0, 0.5, 0.0, None, id="ended by itself at once"),
        pytest.param(1, SETTLED_SECONDS, 3.0, FIRST_PAUSE, id="a fault after a good start"),
        pytest.param(137, SETTLED_SECONDS, 3.0, FIRST_PAUSE, id="killed after a good start"),
        pytest.param(137, 0.5, 0.0, FIRST_PAUSE, id="killed, the first time"),
        pytest.param(-9, 0.5, FIRST_PAUSE, 2 * FIRST_PAUSE, id="its room is killed, once more"),
        pytest.param(137, 0.5, LONGEST_PAUSE, LONGEST_PAUSE, id="killed again and again"),
    ],
)
def test_pauses_between_starts(status: int, ran: float, last: float, pause: float | None) -> None:
    """Who was killed is started at once, then after longer pauses; who ended by itself only if it had started."""
    assert pause_after(status, ran, last) == pause


# Asking for a port


def test_only_a_port_that_is_held_is_lent(ports: HeldPorts, tmp_path: Path) -> None:
    """Another name, or another hub's door, gives none; whoever asks rightly then gets one."""
    address = ports.hold("service")
    for door, name in ((ports.door, "other"), (tmp_path / "none", "service")):
        with pytest.raises(PlatformError, match=f"expected the port of {name} from the hub, got none"):
            borrow(door, name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
        asking.connect(str(ports.door))
        asking.send(b"\xff")
        assert asking.recv(1) == b""
    with borrow(ports.door, "service") as lent:
        assert lent.getsockname()[1] == port_of(address)
    assert ports.door.stat().st_mode & 0o777 == 0o600


def test_a_door_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A path that is too long for a socket, or a folder that is not there."""
    for door in (tmp_path / ("x" * 120), tmp_path / "none" / "ports.socket"):
        with pytest.raises(UsageError, match="Choose another --state"):
            HeldPorts(door)


def test_systemd_hands_the_socket_over_too(tmp_path: Path) -> None:
    """Where systemd is installed, a service takes its socket from there as it does from our supervisor."""
    program = shutil.which("systemd-socket-activate")
    if program is None:
        return  # the tests above speak the same protocol
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    # The address that the service is told is another: it does not bind it, since it has a socket.
    command = [program, f"--listen={address}", sys.executable, "-c", SERVICE, "http://192.0.2.1:1"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as started:
        try:
            assert started.stderr is not None
            assert "Listening on" in started.stderr.readline()
            answer = requests.get(f"http://{address}", timeout=SECONDS).json()
        finally:
            started.kill()
    assert (answer["start"], answer["told"]) == (1, [])
