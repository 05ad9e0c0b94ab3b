"""The exchange of a hub that runs: how tests get tokens, make archives, and ask it as anybody would."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import signal
import tarfile
import threading
import time
import uuid
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.running_hub import SECONDS, Hub, Member, children_of, wait_until_gone

API = "/services/exchange/api"
TINY_PLACE = "/courses/dl101/assignments/tiny"
NOTEBOOK = (Path(__file__).parent / "courses" / "tiny" / "source" / "tiny" / "tiny.ipynb").read_bytes()


def archive_of(files: dict[str, bytes] | None = None) -> bytes:
    """A tar.gz of these files, the same for the same files."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=out, mode="wb", mtime=0, compresslevel=1) as packed,
        tarfile.open(fileobj=packed, mode="w|") as tar,
    ):
        for name, content in (files or {"tiny.ipynb": NOTEBOOK}).items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> bytes:
    """A tar.gz of a notebook and a link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo("tiny.ipynb")
        info.size = len(NOTEBOOK)
        tar.addfile(info, io.BytesIO(NOTEBOOK))
        other = tarfile.TarInfo(name)
        other.type, other.linkname = kind, target
        tar.addfile(other)
    return out.getvalue()


def token_of(member: Member, scopes: list[str] | None = None) -> str:
    """A token that the person makes at the hub, as at /hub/token."""
    body = {"note": "test"} if scopes is None else {"note": "test", "scopes": scopes}
    answer = member.ask("POST", f"/hub/api/users/{member.user}/tokens", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


@dataclass
class Asker:
    """Somebody with a token, who asks the exchange with plain HTTP.

    Attributes:
        user: whose token it is.
        hub: where the exchange is.
        token: the token; empty: none.
    """

    user: str
    hub: Hub
    token: str

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """One request."""
        headers = {**({"Authorization": f"token {self.token}"} if self.token else {}), **more.pop("headers", {})}
        return requests.request(method, self.hub.address + API + path, headers=headers, timeout=SECONDS, **more)

    def submit(self, data: bytes | None = None, place: str = TINY_PLACE, **headers: str) -> requests.Response:
        """Hand in."""
        sent = archive_of() if data is None else data
        return self.ask("POST", f"{place}/submissions", data=sent, headers=headers)


class Upload:
    """A request of which the first half is sent, over a connection of its own.

    Args:
        request: all of it.
        incoming: where the exchange has what is on its way; that of this one is there when this returns.
    """

    def __init__(self, request: requests.PreparedRequest, incoming: Path) -> None:
        address, body = urlsplit(str(request.url)), bytes(request.body or b"")
        self._rest = body[len(body) // 2 :]
        self._connection = HTTPConnection(str(address.hostname), address.port, timeout=SECONDS)
        self._connection.putrequest(str(request.method), f"{address.path}?{address.query}")
        for name, value in request.headers.items():
            self._connection.putheader(name, value)
        before = len(list(incoming.glob("*.part")))
        self._connection.endheaders(body[: len(body) // 2])
        deadline = time.monotonic() + SECONDS
        while len(list(incoming.glob("*.part"))) == before:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def send_rest(self) -> None:
        """The second half."""
        self._connection.send(self._rest)

    def status(self) -> int:
        """What is answered."""
        with closing(self._connection):
            return self._connection.getresponse().status


def kill_exchange(hub: Hub) -> None:
    """Kill -9; it is started again."""
    kill_service(hub, b"exchange")


def kill_service(hub: Hub, *command: bytes) -> None:
    """Kill -9 of what runs a command of ours, and wait until it is dead; its supervisor starts it again."""
    for pid in children_of(hub.process.pid):
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if set(command) <= set(words[:4]) and words[0].endswith((b"python", b"python3")):
                os.kill(pid, signal.SIGKILL)
                wait_until_gone(pid)
                return
    raise AssertionError(f"no {command!r} runs")


def is_up(hub: Hub) -> bool:
    """Whether the exchange answers."""
    with suppress(requests.ConnectionError):
        return requests.get(f"{hub.address}/services/exchange/health", timeout=SECONDS).status_code == 200
    return False


def wait_until_up(hub: Hub) -> None:
    """Until the exchange answers again."""
    deadline = time.monotonic() + SECONDS
    while not is_up(hub):
        assert time.monotonic() < deadline
        time.sleep(0.3)  # each look at an exchange that is away costs the hub a page


@dataclass
class Sender(threading.Thread):
    """A student who hands in one thing after the other, and each of them again until there is a receipt.

    Attributes:
        asker: the student.
        place: the assignment.
        pause: seconds after each.
        receipts: by what was handed in, the receipt; nothing is taken out of it.
    """

    asker: Asker
    place: str
    pause: float
    receipts: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        """Until somebody says stop; then the last one is brought to its end."""
        while not self.stopped.is_set():
            noise = os.urandom(20_000)  # packs to what it is: a submission of some size
            data = archive_of({"tiny.ipynb": f"{self.asker.user} {len(self.receipts)}".encode(), "data.bin": noise})
            key = uuid.uuid4().hex
            while data not in self.receipts:
                with suppress(requests.RequestException):
                    answer = self.asker.submit(data, self.place, **{"Idempotency-Key": key})
                    if answer.status_code in (200, 201):
                        self.receipts[data] = answer.json()
                    else:
                        assert answer.status_code in (500, 502, 503, 504), answer.text
                time.sleep(self.pause)


def kill_under_load(hub: Hub, askers: list[Asker], staff: Asker, place: str, kills: int, pause: float = 0.1) -> int:
    """Kill the exchange at moments that nobody chose while these hand in, then look whether every receipt is honoured.

    Returns:
        How many receipts there were.
    """
    senders = [Sender(asker, place, pause) for asker in askers]
    for sender in senders:
        sender.start()
    for _ in range(kills):
        wait_until_up(hub)
        time.sleep(random.uniform(0.05, 0.6))
        kill_exchange(hub)
    for sender in senders:
        sender.stopped.set()
    for sender in senders:
        sender.join(SECONDS)
        assert not sender.is_alive()
    wait_until_up(hub)  # the last kill may have come after everybody's last receipt
    _, course, _, name = place.strip("/").split("/")
    listed = staff.ask("GET", "/submissions", params={"course": course, "assignment": name}).json()["submissions"]
    by_receipt = {one["receipt"]: one for one in listed}
    store = hub.state / "exchange-service" / "objects" / "submissions" / course / name
    kept = {(file.parent.name, file.read_bytes()) for file in store.rglob("*.tar.gz")}
    given = [(sender.asker, data, receipt) for sender in senders for data, receipt in sender.receipts.items()]
    assert len(kept) == len(list(store.rglob("*.tar.gz"))) == len(listed) == len(given)  # nothing lost, nothing twice
    for asker, data, receipt in given:
        assert by_receipt[receipt["receipt"]] == receipt
        assert receipt["sha256"] == hashlib.sha256(data).hexdigest()
        assert (asker.user, data) in kept
    for asker, data, receipt in random.sample(given, min(50, len(given))):
        assert asker.ask("GET", f"/submissions/{receipt['receipt']}/files").content == data
    return len(listed)


def audit_of(hub: Hub) -> list[dict[str, Any]]:
    """All lines of the log, as the operator reads it."""
    text = (hub.state / "exchange-service" / "audit.log").read_text()
    return [json.loads(line) for line in text.splitlines()]
