"""The hub of one machine, started by its command and used in a real browser."""

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
import urllib.error
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tensorgrade.hub import read_profiles
from tensorgrade.hub.culler import HubClient, cull
from tests.test_browser import ARGUMENTS

ROOT = Path(__file__).parents[1]
SECONDS = 120


@dataclass
class Hub:
    """A hub that runs."""

    process: subprocess.Popen[bytes]
    state: Path
    port: int
    passwords: dict[str, str]

    @property
    def address(self) -> str:
        """Where people sign in."""
        return f"http://127.0.0.1:{self.port}"


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


def start(state: Path, port: int) -> Hub:
    """Start the command and read what it prints until the hub is there."""
    command = [sys.executable, "-m", "tensorgrade", "hub", "--state", str(state), "--port", str(port)]
    state.mkdir(mode=0o711, exist_ok=True)
    said = state / "said.txt"
    with said.open("w") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)
    while "Ctrl-C" not in (text := said.read_text()):
        assert process.poll() is None, text
        time.sleep(0.2)
    lines = text.splitlines()
    passwords = dict(line.split() for line in lines if line.startswith("  "))
    return Hub(process, state, port, passwords)


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    """A folder that people's accounts can pass through."""
    folder = Path(tempfile.mkdtemp(prefix="hub-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def hub(state: Path) -> Iterator[Hub]:
    """The hub, started once; tests may start it again."""
    started = start(state, free_ports())
    yield started
    started.process.send_signal(signal.SIGINT)
    started.process.wait(SECONDS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium here. On Debian and Ubuntu: apt-get install chromium")
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=program, args=list(ARGUMENTS))
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


@pytest.fixture(scope="module")
def ada(hub: Hub, browser: Browser) -> Page:
    """A student with a running server."""
    page = signed_in(browser, hub, "ada")
    page.goto(f"{hub.address}/hub/spawn")
    expect(page.get_by_label("GPU")).to_be_disabled()
    expect(page.get_by_text("no GPU on this machine")).to_be_visible()
    page.get_by_label("CPU").check()
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/user/ada/lab**", timeout=SECONDS * 1000)
    expect(page.locator(".jp-Launcher")).to_be_visible()
    return page


def asked(page: Page, path: str, method: str = "GET", body: str | None = None) -> tuple[int, str]:
    """What the hub answers to this person's browser, which shows one of its pages."""
    script = """async ([path, method, body]) => {
        const address = `${path}?_xsrf=${window.jhdata.xsrf_token}`;
        const answer = await fetch(address, {method, body, headers: {"Content-Type": "application/json"}});
        return [answer.status, await answer.text()];
    }"""
    status, text = page.evaluate(script, [path, method, body])
    return int(status), str(text)


def test_student_gets_a_server(ada: Page) -> None:
    """A student signs in with the first password, sees that there is no GPU, and works in JupyterLab."""
    ada.get_by_role("menuitem", name="Nbgrader").click()
    expect(ada.get_by_text("Assignment List")).to_be_visible()
    expect(ada.get_by_text("Formgrader")).to_have_count(0)
    expect(ada.get_by_text("Create Assignment")).to_have_count(0)
    ada.keyboard.press("Escape")


def test_a_gpu_cannot_be_had_through_the_api(hub: Hub, browser: Browser, ada: Page) -> None:
    """What the spawn page does not offer is refused too where the page is not used."""
    page = signed_in(browser, hub, "bob")
    for profile, sentence in (("gpu", "No GPU on this machine"), ("root", "No profile")):
        status, text = asked(page, "/hub/api/users/bob/server", "POST", f'{{"profile": "{profile}"}}')
        assert status in (403, 503), text
        assert sentence in text


def test_nobody_opens_another_ones_server(hub: Hub, browser: Browser, ada: Page) -> None:
    """A student's server, files and hub pages answer no other person, be it staff."""
    for user in ("bob", "tom", "iris"):
        page = signed_in(browser, hub, user)
        status, _ = asked(page, "/hub/api/users/ada")
        assert status == (200 if user == "iris" else 404)  # an instructor sees who has a server
        answer = page.goto(f"{hub.address}/user/ada/lab")
        assert answer is not None
        assert answer.status == 403
        assert asked(page, "/hub/admin")[0] == 403


def test_nobody_signs_up(hub: Hub, browser: Browser) -> None:
    """There is no page for signing up, and a wrong password opens nothing."""
    page = browser.new_context().new_page()
    answer = page.goto(f"{hub.address}/hub/signup")
    assert answer is not None
    assert answer.status == 404
    page.goto(f"{hub.address}/hub/login")
    page.fill("input[name=username]", "ada")
    page.fill("input[name=password]", "guess")
    page.click("#login_submit")
    expect(page.get_by_text("Invalid username or password")).to_be_visible()


@pytest.mark.proof
def test_the_hub_survives_a_kill(hub: Hub, ada: Page) -> None:
    """After kill -9 the same command goes on: people stay signed in, and their servers have run meanwhile."""
    [pid] = [int(line) for line in children_of(hub.process.pid)]
    os.kill(pid, signal.SIGKILL)
    hub.process.wait(SECONDS)
    again = start(hub.state, hub.port)
    hub.process = again.process
    assert again.passwords == {}
    ada.goto(f"{hub.address}/hub/home")
    status, text = asked(ada, "/hub/api/users/ada")
    assert status == 200, text
    assert re.search(r'"server": ?"/user/ada/"', text)
    ada.goto(f"{hub.address}/user/ada/lab")
    expect(ada.locator(".jp-Launcher")).to_be_visible()


def test_servers_are_stopped_when_their_time_is_up(hub: Hub, ada: Page) -> None:
    """With no more than the token that the hub gives it, the culler stops what is too old, and nothing before."""
    environment = environment_of(hub, "tensorgrade.hub.culler")
    client = HubClient(environment["JUPYTERHUB_API_URL"], environment["JUPYTERHUB_API_TOKEN"])
    profiles = {profile.name: profile for profile in read_profiles(ROOT / "hub_config" / "profiles.toml")}
    [server] = client.servers()
    assert (server.user, server.profile) == ("ada", "cpu")
    cull(client, profiles, profiles["cpu"], server.started + timedelta(minutes=59))
    assert [one.user for one in client.servers()] == ["ada"]
    cull(client, profiles, profiles["cpu"], server.started + timedelta(hours=12))
    deadline = time.monotonic() + SECONDS
    while list(client.servers()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    with pytest.raises(urllib.error.HTTPError) as refused:
        client._ask("POST", f"{client.api}/users/ada/server")
    refused.value.close()
    assert refused.value.code in (403, 404)


def environment_of(hub: Hub, program: str) -> dict[str, str]:
    """The environment of a program that the hub has started."""
    [started] = children_of(hub.process.pid)
    for pid in children_of(int(started)):
        if program in Path(f"/proc/{pid}/cmdline").read_text():
            rows = Path(f"/proc/{pid}/environ").read_text().split("\0")
            return dict(row.split("=", 1) for row in rows if row)
    raise AssertionError(f"no {program}")


def children_of(pid: int) -> list[str]:
    """The processes that a process has started."""
    done = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.proof
def test_ctrl_c_stops_everything(state: Path) -> None:
    """Nothing runs any more after Ctrl-C, and the ports are free."""
    started = start(state / "second", free_ports())
    group = children_of(started.process.pid)
    started.process.send_signal(signal.SIGINT)
    started.process.wait(SECONDS)
    deadline = time.monotonic() + 20
    while subprocess.run(["pgrep", "-g", ",".join(group)], capture_output=True, check=False).stdout:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", started.port)) != 0
