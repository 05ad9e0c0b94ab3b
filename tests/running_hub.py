"""A hub that runs: how tests start it, sign people in, and ask it by HTTP."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.test_browser import ARGUMENTS

ROOT = Path(__file__).parents[1]
TINY = ROOT / "tests" / "courses" / "tiny"
SECONDS = 120
TWO_COURSES = """
[dl101]
title = "Deep learning"
folder = "courses/dl101"
instructors = ["iris"]
tas = ["tom"]
students = ["ada", "bob"]
gpus = 1

[ml1]
title = "Machine learning"
folder = "courses/ml1"
instructors = ["ivo"]
tas = ["tea"]
students = ["ada", "eve"]
"""


@dataclass
class Hub:
    """A hub that runs."""

    process: subprocess.Popen[bytes]
    state: Path
    port: int
    passwords: dict[str, str]
    domain: str = ""

    @property
    def address(self) -> str:
        """Where people sign in."""
        return f"http://{self.domain}" if self.domain else f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Ctrl-C, and wait."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(SECONDS)


def free_ports() -> int:
    """The first of three neighbouring ports that nobody uses."""
    for port in range(20_000 + os.getpid() % 20_000, 60_000, 3):
        with socket.socket() as first, socket.socket() as second, socket.socket() as third:
            try:
                for number, probe in enumerate((first, second, third)):
                    probe.bind(("127.0.0.1", port + number))
            except OSError:
                continue
            return port
    raise AssertionError("no free ports")


def start(
    state: Path, port: int, config: Path = ROOT / "hub_config", python: str = sys.executable, domain: str = ""
) -> Hub:
    """Start the command and read what it prints until the hub is there."""
    command = [python, "-m", "tensorgrade", "hub", str(config), "--state", str(state), "--port", str(port)]
    command += ["--domain", f"http://{domain}"] if domain else []
    said = state.with_name(f"{state.name}.said")
    with said.open("w") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)
    while "Ctrl-C" not in (text := said.read_text()):
        assert process.poll() is None, text
        time.sleep(0.2)
    passwords = dict(line.split() for line in text.splitlines() if line.startswith("  "))
    return Hub(process, state, port, passwords, domain)


@contextmanager
def hub_of_two_courses(
    courses: str = TWO_COURSES,
    exchange: str = "",
    more: str = "",
    python: str = sys.executable,
    domain: str = "",
    secrets: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Hub]:
    """A hub with two courses; one person studies in both.

    Args:
        courses: instead of them.
        exchange: ``exchange.toml``, instead of the one that comes with the hub.
        more: Python, at the end of ``jupyterhub_config.py``.
        python: of the environment to start it from.
        domain: of the hub, if it has one.
        secrets: by their names, files beside ``exchange.toml`` that nobody else may read.
    """
    folder = Path(tempfile.mkdtemp(prefix="hub-", dir="/tmp"))
    shutil.copytree(TINY, folder / "operator")
    config = folder / "operator" / "hub_config"
    shutil.copytree(ROOT / "hub_config", config)
    (config / "courses.toml").write_text(courses)
    if exchange:
        (config / "exchange.toml").write_text(exchange)
    for name, text in secrets.items():
        (config / name).write_text(text)
        (config / name).chmod(0o600)
    with (config / "jupyterhub_config.py").open("a") as file:
        file.write(f"\n{more}\n")
    started = start(folder / "state", free_ports(), config, python, domain)
    try:
        yield started
    finally:
        started.stop()
        shutil.rmtree(folder)


@contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """A browser; without one the test is skipped."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium here. On Debian and Ubuntu: apt-get install chromium")
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=program, args=[*ARGUMENTS, *arguments])
        yield opened
        opened.close()


def signed_in(browser: Browser, hub: Hub, user: str) -> Page:
    """A window of this person's own."""
    page = browser.new_context(viewport={"width": 1200, "height": 800}).new_page()
    page.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    page.goto(f"{hub.address}/hub/login")
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", hub.passwords[user])
    page.click("#login_submit")
    expect(page.get_by_text("Logout")).to_be_visible()
    page.goto(f"{hub.address}/hub/home")
    return page


class Member:
    """A person who asks the hub by HTTP, as a browser would."""

    def __init__(self, hub: Hub, user: str) -> None:
        self.user, self.address = user, hub.address
        self.session = requests.Session()
        self.get("/hub/login")
        form = {"username": user, "password": hub.passwords[user], "_xsrf": self._token("/hub/login")}
        self.session.post(f"{self.address}/hub/login", data=form, timeout=SECONDS).raise_for_status()

    def get(self, path: str, **more: Any) -> requests.Response:
        """Follow an address."""
        return self.session.get(self.address + path, timeout=SECONDS, **more)

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """What a page's own script would ask."""
        headers = {"X-XSRFToken": self._token(path), **more.pop("headers", {})}
        return self.session.request(method, self.address + path, headers=headers, timeout=SECONDS, **more)

    def _token(self, path: str) -> str:
        """The token against forged requests: the one whose path is nearest."""
        own = [c for c in self.session.cookies if c.name == "_xsrf" and path.startswith(c.path)]
        return str(max(own, key=lambda cookie: len(cookie.path)).value) if own else ""


def children_of(pid: int) -> list[int]:
    """The processes that a process has started, and those that these have started."""
    done = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    parents = dict(map(int, line.split()) for line in done.stdout.splitlines() if re.fullmatch(r"\s*\d+\s+\d+", line))
    found, new = [], [pid]
    while new:
        new = [child for child, parent in parents.items() if parent in new]
        found += new
    return found


def environment_of(hub: Hub, *words: str) -> dict[str, str]:
    """The environment of a program that the hub has started, by some of the words of its command."""
    for pid in children_of(hub.process.pid):
        with suppress(OSError):
            if set(words) <= set(Path(f"/proc/{pid}/cmdline").read_text().split("\0")):
                rows = Path(f"/proc/{pid}/environ").read_text().split("\0")
                return dict(row.split("=", 1) for row in rows if row)
    raise AssertionError(f"no {words}")


def wait_until_gone(*pids: int) -> None:
    """Until none of these processes runs any more; whoever is to bury it may be slow."""
    deadline = time.monotonic() + SECONDS
    while any(runs(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def runs(pid: int) -> bool:
    """Whether a process is there and not dead; its first thread may be dead before the others."""
    with suppress(OSError):
        states = [stat.read_text().rpartition(")")[2].split()[0] for stat in Path(f"/proc/{pid}/task").glob("*/stat")]
        return any(state not in "ZX" for state in states)
    return False
