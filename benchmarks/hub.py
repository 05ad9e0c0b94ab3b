"""What a hub bears: so many people sign in, start a server, fetch, check and submit, all at the same moment.

    .venv/bin/python -m benchmarks.hub --users 40

Each phase begins when everybody has ended the one before. The hub is a fresh one on this machine, on the loopback
address, with `tests/courses/tiny`; every request has a time limit, and everything ends with the command. While
people work, somebody asks the hub every half second how it is. In the end each server has to answer once more: a
server that no longer does was wedged by the rush.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from websocket import create_connection

from tests.running_hub import ROOT, SECONDS, TINY, Hub, Member, children_of, free_ports, start

COURSES = '[dl101]\ntitle = "Deep learning"\nfolder = "courses/dl101"\ninstructors = ["iris"]\nstudents = {}\n'
NOTEBOOK = "dl101/tiny/tiny.ipynb"
WRONG, RIGHT = "def double(x):\n    return x * x\n", "def double(x):\n    return x + x\n"
Seconds = dict[str, list[float]]


def main() -> int:
    """Measure, print the table; 1 if anybody met an error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=40)
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args()
    with hub_of(options.users) as hub:
        release(hub)
        rush = Rush(hub)
        rush.run()
    text = "\n".join([*table(rush, options.users), *rush.errors])
    print(text)  # noqa: T201
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")
    return 1 if rush.errors else 0


@contextmanager
def hub_of(users: int) -> Iterator[Hub]:
    """A hub of one course with so many students."""
    folder = Path(tempfile.mkdtemp(prefix="hub-", dir="/tmp"))
    names = [f"s{number:02}" for number in range(1, users + 1)]
    try:
        shutil.copytree(TINY, folder / "operator")
        shutil.copytree(ROOT / "hub_config", folder / "operator" / "hub_config")
        (folder / "operator" / "hub_config" / "courses.toml").write_text(COURSES.format(json.dumps(names)))
        hub = start(folder / "state", free_ports(), folder / "operator" / "hub_config")
        try:
            yield hub
        finally:
            hub.stop()
    finally:
        shutil.rmtree(folder)


def release(hub: Hub) -> None:
    """The instructor generates the assignment and releases it."""
    iris = Member(hub, "iris")
    iris.get("/services/grading-dl101/formgrader")
    for step in ("assign", "release"):
        answer = iris.ask("POST", f"/services/grading-dl101/formgrader/api/assignment/tiny/{step}")
        if not answer.ok or not answer.json()["success"]:
            sys.exit(f"{step}: {answer.text}")


class Rush:
    """Everybody at once, phase after phase.

    Args:
        hub: one that runs.
    """

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.names = sorted(set(hub.passwords) - {"iris"})
        self.students: dict[str, Student] = {}
        self.seconds: Seconds = {}
        self.health: Seconds = {}
        self.errors: list[str] = []
        self.memory_mib: list[float] = []

    def run(self) -> None:
        """All phases."""
        self._phase("sign in", self._sign_in)
        self._phase("start a server", lambda name: self.students[name].start_server())
        self.memory_mib = [resident for name in self.names if (resident := self._memory(name))]
        self._phase("fetch", lambda name: self.students[name].fetch())
        self._phase("check", lambda name: self.students[name].check())
        self._phase("submit", lambda name: self.students[name].submit())
        self._phase("still there", lambda name: self.students[name].still_there())

    def _sign_in(self, name: str) -> None:
        self.students[name] = Student(self.hub, name)

    def _phase(self, title: str, act: Callable[[str], None]) -> None:
        """Everybody does the same thing at the same moment."""
        barrier = threading.Barrier(len(self.names))
        spent = self.seconds.setdefault(title, [])

        def one(name: str) -> None:
            barrier.wait(SECONDS)
            began = time.monotonic()
            try:
                act(name)
                spent.append(time.monotonic() - began)
            except Exception as error:
                self.errors.append(f"{title}, {name}: {type(error).__name__}: {str(error)[:300]}")

        with self._asked_for_health(title), ThreadPoolExecutor(len(self.names)) as people:
            list(people.map(one, self.names))
        print(f"{title}: {len(spent)} of {len(self.names)}", file=sys.stderr)  # noqa: T201

    @contextmanager
    def _asked_for_health(self, title: str) -> Iterator[None]:
        """Somebody asks the hub how it is, every half second."""
        over = threading.Event()
        answers = self.health.setdefault(title, [])

        def ask() -> None:
            while True:
                began = time.monotonic()
                requests.get(f"{self.hub.address}/hub/health", timeout=SECONDS).raise_for_status()
                answers.append(time.monotonic() - began)
                if over.wait(0.5):
                    return

        with ThreadPoolExecutor(1) as asker:
            asking = asker.submit(ask)
            try:
                yield
            finally:
                over.set()
                asking.result()

    def _memory(self, name: str) -> float:
        """What the processes of a server occupy, in MiB; a page that several share counts in parts (PSS)."""
        total = 0.0
        for pid in children_of(self.hub.process.pid):
            try:
                environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                if f"JUPYTERHUB_USER={name}".encode() in environment:
                    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                    total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
            except OSError:  # it has ended
                continue
        return total / 1024


class Student:
    """A student who does by requests what the pages of the hub and of JupyterLab do."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.name, self.hub = name, hub
        self.member = Member(hub, name)
        self.kernel = ""

    def start_server(self) -> None:
        """Start a server with the CPU profile and open it."""
        self._ask("POST", f"/hub/api/users/{self.name}/server", json={"profile": "cpu"})
        deadline = time.monotonic() + 3 * SECONDS
        while not self._ask("GET", f"/hub/api/users/{self.name}").get("server"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no server within {3 * SECONDS} seconds")
            time.sleep(0.5)
        self.member.get(f"/user/{self.name}/lab").raise_for_status()

    def fetch(self) -> None:
        """Get the assignment."""
        self._assignments("fetch")

    def check(self) -> None:
        """Write a wrong answer, read the hint, mend it, save."""
        model = self._ask("GET", f"/user/{self.name}/api/contents/{NOTEBOOK}")
        cells = model["content"]["cells"]
        session = {"path": NOTEBOOK, "name": "tiny", "type": "notebook", "kernel": {"name": "python3"}}
        self.kernel = self._ask("POST", f"/user/{self.name}/api/sessions", json=session)["kernel"]["id"]
        self._run(cells[1]["source"], "ok")
        self._run(WRONG, "ok")
        self._run(cells[3]["source"], "error")
        self._run(RIGHT, "ok")
        self._run(cells[3]["source"], "ok")
        cells[2]["source"] = RIGHT
        self._ask("PUT", f"/user/{self.name}/api/contents/{NOTEBOOK}", json=model)

    def submit(self) -> None:
        """Hand in."""
        self._assignments("submit")
        listed = self._ask("GET", f"/user/{self.name}/assignments", params={"course_id": "dl101"})["value"]
        if "submitted" not in {one["status"] for one in listed}:
            raise AssertionError(f"nothing was submitted: {listed}")

    def still_there(self) -> None:
        """The server and its kernel answer."""
        self._ask("GET", f"/user/{self.name}/api/status")
        self._run("double(torch.ones(1))", "ok")

    def _assignments(self, action: str) -> None:
        answer = self._ask(
            "POST", f"/user/{self.name}/assignments/{action}", json={"course_id": "dl101", "assignment_id": "tiny"}
        )
        if not answer["success"]:
            raise AssertionError(f"{action}: {answer['value']}")

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        """What a page's script would ask for."""
        answer = self.member.ask(method, path, **more)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def _run(self, code: str, expected: str) -> None:
        """Run a cell; it has to end as expected."""
        path = f"/user/{self.name}/api/kernels/{self.kernel}/channels"
        token = self.member._token(path)
        cookies = "; ".join(
            f"{one.name}={one.value}" for one in self.member.session.cookies if path.startswith(one.path)
        )
        address = f"ws://127.0.0.1:{self.hub.port}{path}?_xsrf={token}"
        socket = create_connection(address, timeout=3 * SECONDS, cookie=cookies)
        try:
            message_id = uuid.uuid4().hex
            header = {"msg_id": message_id, "msg_type": "execute_request", "session": message_id, "username": self.name,
                      "version": "5.3", "date": ""}  # fmt: skip
            content = {"code": code, "silent": False, "store_history": True, "user_expressions": {},
                       "allow_stdin": False, "stop_on_error": False}  # fmt: skip
            message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
            socket.send(json.dumps(message))
            while True:
                said = json.loads(socket.recv())
                if said["msg_type"] == "execute_reply" and said["parent_header"].get("msg_id") == message_id:
                    break
        finally:
            socket.close()
        if said["content"]["status"] != expected:
            raise AssertionError(f"expected {expected}, got {said['content']}")


def table(rush: Rush, users: int) -> list[str]:
    """Markdown: each phase's seconds, and how the hub felt meanwhile."""
    lines = [
        f"{users} people at once; seconds.",
        "",
        "| phase | done | p50 | p95 | max | hub's health, p50 | max |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for title, spent in rush.seconds.items():
        figures = [at(spent, 0.5), at(spent, 0.95), max(spent, default=float("nan"))]
        health = [statistics.median(rush.health[title]), max(rush.health[title])]
        lines.append(f"| {title} | {len(spent)} | {' | '.join(f'{value:.2f}' for value in (*figures, *health))} |")
    if rush.memory_mib:
        lines += ["", f"An idle server occupies {statistics.median(rush.memory_mib):.0f} MiB (PSS, median)."]
    return lines


def at(values: list[float], share: float) -> float:
    """The value below which this share of all lies; NaN if there is none."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)] if values else float("nan")


if __name__ == "__main__":
    sys.exit(main())
