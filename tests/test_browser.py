"""A student at work: the released notebook in JupyterLab, in a real Chromium."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import nbformat
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tensorgrade.notebooks import read_notebook, student_version

ROOT = Path(__file__).parents[1]
TINY = ROOT / "tests" / "courses" / "tiny"
TOKEN = "a-token-of-this-test"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# The colour of every text in the tables against what is behind it, as the browser has computed them (WCAG 2.2, 1.4.3).
LOWEST_CONTRAST = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const over = (colour, behind) => {
    canvas.fillStyle = `rgb(${behind.join(",")})`; canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => rgb.map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => element === null ? [255, 255, 255]
    : over(getComputedStyle(element).backgroundColor, behind(element.parentElement));
  const texts = [...document.querySelectorAll(
    ".jp-OutputArea caption, .jp-OutputArea :is(th, td, pre, th div, td div)")];
  return Math.min(...texts.map((element) => {
    const back = behind(element);
    const [low, high] = [light(back), light(over(getComputedStyle(element).color, back))].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  }));
}
"""


@dataclass(frozen=True)
class Server:
    """A JupyterLab server and the folder that it shows."""

    address: str
    folder: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab on this machine only, with nothing of its user's settings."""
    folder, home = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("home")
    shutil.copytree(ROOT / "release" / "attention", folder / "attention")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = home / ".jupyter" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    options = {"ServerApp.ip": "127.0.0.1", "ServerApp.port": port, "ServerApp.root_dir": folder}
    options |= {"IdentityProvider.token": TOKEN, "LabApp.expose_app_in_browser": True}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--{name}={value}" for name, value in options.items()]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    own = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "JPY", "IPYTHON"))}
    environment = {**own, "HOME": str(home), "PATH": path, "JUPYTER_PREFER_ENV_PATH": "1"}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_it_answers(f"{address}/api", process, home / "log")
        yield Server(address, folder)
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_until_it_answers(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for a server that is starting."""
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        try:
            urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(log.read_text())


def validate(server: Server, path: str) -> dict[str, object]:
    """What the route behind the Validate button answers."""
    body = json.dumps({"path": path}).encode()
    headers = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
    with urlopen(Request(f"{server.address}/assignments/validate", body, headers), timeout=60) as reply:
        answer = json.load(reply)
    assert answer["success"], answer["value"]
    result: dict[str, object] = answer["value"]
    return result


@pytest.mark.parametrize("factor", [pytest.param(2, id="right"), pytest.param(3, id="wrong")])
def test_validate_route_agrees_with_check(server: Server, factor: int) -> None:
    """The server route of the Validate button fails a notebook exactly where `check` raises."""
    folder = server.folder / f"tiny-{factor}"
    folder.mkdir()
    shutil.copy(TINY / "graders" / "tiny" / "test_public.py", folder)
    notebook = student_version(read_notebook(TINY / "source" / "tiny" / "tiny.ipynb"))
    next(
        cell for cell in notebook.cells if "NotImplemented" in cell.source
    ).source = f"def double(x): return x * {factor}"
    nbformat.write(notebook, folder / "tiny.ipynb")
    failed = validate(server, f"tiny-{factor}/tiny.ipynb").get("failed", [])
    assert isinstance(failed, list)
    assert [cell["error"] for cell in failed if "public checks" in cell["error"]] == (
        [] if factor == 2 else ["double: 1 of 1 public checks do not pass yet."]
    )


@pytest.fixture(scope="module")
def page(server: Server) -> Iterator[Page]:
    """The released notebook, opened in Chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium here. On Debian and Ubuntu: apt-get install chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        opened = browser.new_page(viewport={"width": 1100, "height": 900})
        opened.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        opened.goto(f"{server.address}/lab/tree/attention/attention.ipynb?token={TOKEN}")
        expect(opened.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()
        yield opened
        browser.close()


def run_cell(page: Page, source: str) -> None:
    """Click into the cell with this text, press Shift and Enter, and wait until it has run."""
    cell = page.locator(".jp-CodeCell").filter(has=page.locator(".cm-content", has_text=source)).first
    cell.locator(".cm-content").click()
    expect(cell.locator(".cm-editor.cm-focused")).to_be_visible()
    page.keyboard.press("Shift+Enter")
    expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"))


def test_student_reads_the_report(page: Page) -> None:
    """A click and a key show a table, named by its caption; each row says what to try."""
    run_cell(page, "from tensorgrade import check")
    run_cell(page, "def attend(")
    run_cell(page, 'check("attend")')
    table = page.get_by_role("table", name="attend: 0 of 2 public checks pass")
    expect(table).to_be_visible()
    expect(table.get_by_role("columnheader")).to_have_text(["Result", "Requirement"])
    expect(table.get_by_role("row").nth(1)).to_contain_text("This is not written yet: put your code in the place of")
    expect(page.get_by_text("attend: 2 of 2 public checks do not pass yet.").last).to_be_visible()
    keep_picture(page, "check-light")


def test_report_can_be_read_in_every_theme(page: Page) -> None:
    """Light or dark, every text of the report has a contrast of at least 4.5, and a dark theme stays dark."""
    backgrounds = []
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
        page.wait_for_timeout(500)
        assert page.evaluate(LOWEST_CONTRAST) >= 4.5, theme
        backgrounds.append(
            page.locator(".jp-OutputArea table").first.evaluate("e => getComputedStyle(e).backgroundColor")
        )
    assert backgrounds[0] != backgrounds[1]
    keep_picture(page, "check-dark")


def test_validate_button_agrees(page: Page) -> None:
    """The button of nbgrader says which public checks do not pass yet."""
    page.get_by_role("button", name="Validate").first.click()
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("attend: 2 of 2 public checks do not pass yet.")
    keep_picture(page, "validate")
    page.keyboard.press("Escape")


def test_report_fits_a_narrow_window(page: Page) -> None:
    """In a window of 480 pixels nothing of the report is cut off."""
    page.set_viewport_size({"width": 480, "height": 900})
    page.evaluate("jupyterapp.commands.execute('application:toggle-left-area')")
    page.wait_for_timeout(500)
    boxes = page.locator(".jp-OutputArea div:has(> table)")
    keep_picture(page, "check-narrow")
    assert boxes.count() == 1
    assert boxes.evaluate_all("all => all.filter(e => e.scrollWidth > e.clientWidth + 1).length") == 0


def keep_picture(page: Page, name: str) -> None:
    """Keep a screenshot for people to look at, if TENSORGRADE_PICTURES names a folder."""
    folder = os.environ.get("TENSORGRADE_PICTURES")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png")
