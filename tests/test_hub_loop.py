"""A course on the hub, from the source notebook to the feedback, as people see it in their browsers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.running_hub import SECONDS, Hub, chromium, hub_of_two_courses, signed_in

PAGE = "/services/grading-dl101/formgrader"
WRONG, RIGHT = "def double(x):\n    return x * x\n", "def double(x):\n    return x + x\n"
Shot = Callable[[Page, str], None]


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """The hub, started once."""
    with hub_of_two_courses() as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with chromium() as opened:
        yield opened


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    """Takes a picture of a step; TENSORGRADE_SCREENSHOTS names the folder to keep them in."""
    folder = Path(os.environ.get("TENSORGRADE_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    steps = iter(range(1, 100))

    def take(page: Page, name: str) -> None:
        page.screenshot(path=folder / f"{next(steps):02}-{name}.png")

    return take


def with_server(page: Page, hub: Hub, user: str) -> None:
    """Start a server with the CPU profile."""
    page.goto(f"{hub.address}/hub/spawn")
    page.get_by_label("CPU").check()
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(f"**/user/{user}/lab**", timeout=SECONDS * 1000)
    expect(page.locator(".jp-Launcher")).to_be_visible()


def row_of(page: Page, name: str) -> Locator:
    """The line of an assignment or a student in one of formgrader's tables."""
    return page.locator("#main-table tr").filter(has_text=name).first


def press(page: Page, row: str, column: str) -> str:
    """Click on a button of formgrader's tables and read its answer."""
    row_of(page, row).locator(f".{column} a").click()
    dialog = page.locator(".modal.in")
    expect(dialog).to_be_visible()
    said = dialog.inner_text()
    dialog.locator(".modal-footer button").click()
    expect(dialog).to_be_hidden()
    return said


def open_notebook(page: Page, hub: Hub, user: str, path: str) -> None:
    """Open a notebook in JupyterLab."""
    page.goto(f"{hub.address}/user/{user}/lab/tree/{path}")
    expect(page.locator(".jp-Notebook .jp-Cell").first).to_be_visible()
    page.wait_for_function("() => document.querySelector('.jp-Notebook-ExecutionIndicator[data-status=idle]')")


def write_answer(page: Page, code: str) -> None:
    """Put code into the solution cell and run all cells."""
    page.locator(".jp-CodeCell").nth(1).locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(code)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator(".lm-Menu-item[data-command='notebook:run-all-cells'], [data-command='runmenu:run-all']").first.click()


def assignment_list(page: Page) -> Locator:
    """Open nbgrader's list."""
    page.get_by_role("menuitem", name="Nbgrader").click()
    page.get_by_text("Assignment List").last.click()
    listing = page.locator("#nbgrader-assignment_list-1, .nbgrader-mainarea-widget, [id^=nbgrader]").last
    expect(page.get_by_text("Released assignments")).to_be_visible()
    return listing


def test_the_whole_loop(hub: Hub, browser: Browser, shot: Shot) -> None:
    """An assignment is written, released, solved, handed in, graded by machine and hand, and comes back."""
    iris = signed_in(browser, hub, "iris")
    instructor_releases(iris, hub, shot)
    ada = signed_in(browser, hub, "ada")
    student_solves(ada, hub, shot)


def instructor_releases(iris: Page, hub: Hub, shot: Shot) -> None:
    """The instructor looks at the source in JupyterLab, generates the student version and releases it."""
    shot(iris, "instructor-home")
    with_server(iris, hub, "iris")
    open_notebook(iris, hub, "iris", "course-dl101/source/tiny/tiny.ipynb")
    expect(iris.get_by_text("BEGIN SOLUTION")).to_be_visible()
    shot(iris, "source-notebook")
    iris.goto(hub.address + PAGE)
    expect(row_of(iris, "tiny")).to_be_visible()
    assert "Success" in press(iris, "tiny", "assign")
    expect(row_of(iris, "tiny").locator(".release a")).to_be_visible()
    assert "Success" in press(iris, "tiny", "release")
    expect(row_of(iris, "tiny").get_by_text("released")).to_be_visible()
    shot(iris, "released")


def student_solves(ada: Page, hub: Hub, shot: Shot) -> None:
    """A student fetches, tries, reads the hint, mends, validates and submits."""
    ada.goto(f"{hub.address}/hub/spawn")
    expect(ada.get_by_text("Enough for every assignment")).to_be_visible()
    shot(ada, "spawn-page")
    with_server(ada, hub, "ada")
    assignment_list(ada)
    ada.wait_for_timeout(3000)
    shot(ada, "assignment-list")
    print(ada.locator(".lm-DockPanel-widget:not(.lm-mod-hidden)").last.inner_html()[:3000])
