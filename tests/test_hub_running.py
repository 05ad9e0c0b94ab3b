"""The hub of one machine, started by its command and used in a real browser."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import tempfile
import time
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tensorgrade.hub import read_profiles
from tensorgrade.hub.culler import HubClient, cull
from tests.running_hub import ROOT, SECONDS, Hub, children_of, chromium, environment_of, free_ports, signed_in, start


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    """A folder that only the hub opens."""
    folder = Path(tempfile.mkdtemp(prefix="hub-", dir="/tmp"))
    yield folder / "state"
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def hub(state: Path) -> Iterator[Hub]:
    """The hub, started once; tests may start it again."""
    started = start(state, free_ports())
    yield started
    started.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with chromium() as opened:
        yield opened


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


def test_the_hub_goes_before_the_servers(hub: Hub, ada: Page) -> None:
    """Servers have a lower priority than the hub, so that its pages answer while a class starts them."""
    started = children_of(hub.process.pid)
    servers = [pid for pid in started if "singleuser" in Path(f"/proc/{pid}/cmdline").read_text()]
    assert servers
    hubs = os.getpriority(os.PRIO_PROCESS, started[0])
    assert all(os.getpriority(os.PRIO_PROCESS, pid) > hubs for pid in servers)


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


def test_guesses_at_once_are_counted(hub: Hub) -> None:
    """Of many wrong passwords that arrive together no more are tried than of those that arrive in turn."""
    guesses = ["guess", "x" * 100, *(f"guess {number}" for number in range(8))]
    with ThreadPoolExecutor(len(guesses)) as many:
        answers = list(many.map(lambda guess: sign_in(hub, "bob", guess), guesses))
    assert all("Invalid username or password" in answer for answer in answers)
    assert "Invalid username or password" in sign_in(hub, "bob", hub.passwords["bob"])


def sign_in(hub: Hub, user: str, password: str) -> str:
    """The page that follows."""
    with requests.Session() as browser:
        browser.get(f"{hub.address}/hub/login", timeout=SECONDS)
        form = {"username": user, "password": password, "_xsrf": browser.cookies.get("_xsrf", path="/hub/")}
        return browser.post(f"{hub.address}/hub/login", data=form, timeout=SECONDS).text


@pytest.mark.proof
def test_the_hub_survives_a_kill(hub: Hub, ada: Page) -> None:
    """After kill -9 the same command goes on: people stay signed in, and their servers have run meanwhile."""
    os.kill(children_of(hub.process.pid)[0], signal.SIGKILL)
    assert hub.process.wait(SECONDS) == 1
    assert "the hub has ended by itself, with status -9" in said(hub)
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


@pytest.mark.proof
def test_ctrl_c_stops_everything(state: Path) -> None:
    """Nothing runs any more after Ctrl-C, and the ports are free."""
    started = start(state.with_name("second"), free_ports())
    running = children_of(started.process.pid)
    started.stop()
    assert started.process.returncode == 0
    assert said(started).endswith("stopped; the same command starts it again\n")
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in running):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", started.port)) != 0


def said(hub: Hub) -> str:
    """What the command has printed."""
    return hub.state.with_name(f"{hub.state.name}.said").read_text()
