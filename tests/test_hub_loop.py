"""A course on the hub, from the source notebook to the feedback, as people see it in their browsers."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from playwright.sync_api import Browser, Locator, Page, expect

from tests.running_exchange import kill_exchange
from tests.running_hub import ROOT, SECONDS, Hub, chromium, hub_of_two_courses, signed_in

PAGE = "/services/grading-dl101/formgrader"
WRONG, RIGHT = "def double(x):\n    return x * x\n", "def double(x):\n    return x + x\n"
Shot = Callable[[Page, str], None]
JUPYTERHUB_6 = ROOT / "build" / "jupyterhub-6" / "bin" / "python"  # made by the Makefile


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
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()


def write_answer(page: Page, code: str) -> None:
    """Put code into the solution cell and run all cells."""
    page.locator(".jp-CodeCell").nth(1).locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(code)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator(".lm-Menu-item").get_by_text("Run All Cells", exact=True).click()


def write_reflection(page: Page, text: str) -> None:
    """Put words into the last cell."""
    page.locator(".jp-MarkdownCell").last.dblclick()
    page.locator(".jp-MarkdownCell").last.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text)
    page.keyboard.press("Shift+Enter")


def open_assignments(page: Page, address: str, user: str) -> Locator:
    """Open nbgrader's list in JupyterLab."""
    page.goto(f"{address}/user/{user}/lab?reset")
    expect(page.locator(".jp-Launcher")).to_be_visible()
    page.get_by_role("menuitem", name="Nbgrader").click()
    page.get_by_role("menuitem", name="Assignment List").click()
    listing = page.locator("#assignments")
    expect(listing.get_by_text("Released assignments")).to_be_visible()
    return listing


def fetch(page: Page, hub: Hub, user: str) -> Locator:
    """Get the released assignment."""
    with_server(page, hub, user)
    listing = open_assignments(page, hub.address, user)
    listing.get_by_role("button", name="Fetch", exact=True).click()
    expect(listing.get_by_role("button", name="Submit", exact=True)).to_be_visible()
    return listing


def submit(page: Page, hub: Hub, user: str, interrupt: Callable[[Hub], None] = lambda hub: None) -> None:
    """Hand in what was fetched."""
    listing = open_assignments(page, hub.address, user)
    expect(listing.get_by_role("button", name="Submit", exact=True)).to_be_visible()
    interrupt(hub)
    listing.get_by_role("button", name="Submit", exact=True).click()
    expect(listing.locator("#submitted_assignments_list").get_by_text("tiny").first).to_be_visible()


@pytest.mark.proof
@pytest.mark.parametrize("line", ["supported, the exchange is killed", "JupyterHub 6"])
def test_the_whole_loop(browser: Browser, shot: Shot, line: str) -> None:
    """An assignment is written, released, solved, handed in, graded by machine and by hand, and comes back.

    On the supported line with kill -9 of the exchange before each step: people wait for a moment, and that is all.
    Once more on the next line of JupyterHub.
    """
    is_killed = line != "JupyterHub 6"
    if not is_killed and not JUPYTERHUB_6.exists():
        pytest.skip("no JupyterHub 6 here: make build/jupyterhub-6/.ready")
    with hub_of_two_courses(python=sys.executable if is_killed else str(JUPYTERHUB_6)) as hub:
        iris, ada, bob, tom = (signed_in(browser, hub, user) for user in ("iris", "ada", "bob", "tom"))
        interrupt = kill_exchange if is_killed else lambda hub: None
        instructor_releases(iris, hub, shot)
        interrupt(hub)
        student_solves(ada, hub, shot, interrupt)
        due_now(iris)
        interrupt(hub)
        student_is_late(bob, hub)
        interrupt(hub)
        ta_grades(tom, hub, shot)
        interrupt(hub)
        student_reads(ada, hub, shot)


def instructor_releases(iris: Page, hub: Hub, shot: Shot) -> None:
    """The instructor looks at the source in JupyterLab, generates the student version and releases it."""
    with_server(iris, hub, "iris")
    open_notebook(iris, hub, "iris", "course-dl101/source/tiny/tiny.ipynb")
    expect(iris.get_by_text("BEGIN SOLUTION")).to_be_visible()
    expect(iris.get_by_text("Create Assignment")).to_be_visible()
    shot(iris, "source-notebook")
    iris.goto(hub.address + PAGE)
    assert "Success" in press(iris, "tiny", "assign")
    assert "Success" in press(iris, "tiny", "release")
    expect(row_of(iris, "tiny").get_by_text("released")).to_be_visible()
    shot(iris, "released")


def student_solves(ada: Page, hub: Hub, shot: Shot, interrupt: Callable[[Hub], None]) -> None:
    """A student fetches, tries, reads the hint, mends, validates and submits."""
    ada.goto(f"{hub.address}/hub/spawn")
    expect(ada.get_by_text("Enough for every assignment")).to_be_visible()
    shot(ada, "spawn-page")
    listing = fetch(ada, hub, "ada")
    shot(ada, "fetched")
    expect(listing.locator("#fetched_assignments_list").get_by_text("tiny").first).to_be_visible()
    open_notebook(ada, hub, "ada", "dl101/tiny/tiny.ipynb")
    write_answer(ada, WRONG)
    expect(ada.get_by_text("Hint:")).to_be_visible()
    shot(ada, "hint")
    write_answer(ada, RIGHT)
    expect(ada.get_by_text("Hint:")).to_be_hidden()
    write_reflection(ada, "Twice a number is the number added to itself: $2x = x + x$.")
    ada.get_by_role("button", name="Validate").click()
    expect(ada.get_by_text("Success! Your notebook passes all the tests.")).to_be_visible()
    shot(ada, "validated")
    submit(ada, hub, "ada", interrupt)
    shot(ada, "submitted")


def due_now(iris: Page) -> None:
    """The due date passes."""
    script = """(due) => new Promise((done) => $.ajax({
        url: base_url + "/formgrader/api/assignment/tiny", method: "PUT", contentType: "application/json",
        headers: {"X-CSRFToken": getCookie("_xsrf")},
        data: JSON.stringify({duedate_notimezone: due, duedate_timezone: "+0000"}),
    }).always((_, status) => done(status)))"""
    time.sleep(1)  # submissions have times in seconds
    assert iris.evaluate(script, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")) == "success"
    time.sleep(1)


def student_is_late(bob: Page, hub: Hub) -> None:
    """Another one hands in the untouched notebook, after the due date."""
    fetch(bob, hub, "bob")
    submit(bob, hub, "bob")


def ta_grades(tom: Page, hub: Hub, shot: Shot) -> None:
    """A TA finds the page on the hub, collects, autogrades, grades the reflection, releases the feedback."""
    tom.get_by_role("button", name="Services").click()
    shot(tom, "ta-services")
    tom.get_by_role("link", name="grading-dl101").click()
    assert "Success" in press(tom, "tiny", "collect")
    row_of(tom, "tiny").locator(".num-submissions a").click()
    expect(row_of(tom, "ada").get_by_text("needs autograding")).to_be_visible()
    assert "Success" in press(tom, "ada", "autograde")
    tom.get_by_role("button", name="Autograde all").click()
    expect(tom.locator("#jobs")).to_contain_text("Autograding tiny")
    shot(tom, "autograding")
    dialog = tom.locator(".modal.in")
    expect(dialog.get_by_text("Everything that has changed was graded.")).to_be_visible()
    shot(tom, "autograded")
    dialog.locator(".modal-footer button").click()
    expect(row_of(tom, "ada").locator(".score")).to_have_text("4 / 6")
    expect(row_of(tom, "bob").locator(".score")).to_have_text("0 / 6")
    shot(tom, "submissions")
    with Gradebook(f"sqlite:///{hub.state}/courses/dl101/gradebook.db", "dl101") as gradebook:
        late = {user: gradebook.find_submission("tiny", user).total_seconds_late for user in ("ada", "bob")}
    assert late["ada"] == 0 < late["bob"]
    grade_by_hand(tom, hub, shot)
    tom.goto(f"{hub.address}{PAGE}/manage_assignments")
    assert "Success" in press(tom, "tiny", "generate-feedback")
    assert "Success" in press(tom, "tiny", "release-feedback")


def grade_by_hand(tom: Page, hub: Hub, shot: Shot) -> None:
    """A TA reads the reflection, gives points for it and writes a word."""
    tom.goto(f"{hub.address}{PAGE}/manage_students/ada/tiny")
    tom.locator("#main-table a").first.click()
    expect(tom.get_by_text("Every element of the result is twice")).to_be_visible()
    expect(tom.locator("#why-comment")).to_have_attribute("placeholder", re.compile("."))  # its script has come so far
    for field, kind, text in (("#why", "grade", "1.5"), ("#why-comment", "comment", "Short and right.")):
        at_rest(tom)
        tom.locator(field).click()
        at_rest(tom)  # the page scrolls to what was chosen, and only then selects it
        tom.locator(field).fill(text)
        expect(tom.locator(field)).to_have_value(text)
        with tom.expect_response(re.compile(f"/api/{kind}/")) as answer:
            tom.keyboard.press("Tab")
        assert answer.value.ok
    at_rest(tom)
    shot(tom, "graded-by-hand")
    tom.goto(f"{hub.address}{PAGE}/manage_submissions/tiny")
    expect(row_of(tom, "ada").locator(".score")).to_have_text("5.5 / 6")


def at_rest(page: Page) -> None:
    """Nothing moves and nothing is being saved."""
    expect(page.locator(".save-icon:visible")).to_have_count(0)
    page.wait_for_function("() => jQuery(':animated').length === 0")


def student_reads(ada: Page, hub: Hub, shot: Shot) -> None:
    """The student fetches the feedback and opens it."""
    listing = open_assignments(ada, hub.address, "ada")
    listing.get_by_role("button", name="Fetch Feedback").click()
    expect(listing.get_by_text("view feedback").first).to_be_visible()
    shot(ada, "feedback-fetched")
    listing.get_by_text("view feedback").first.click()
    ada.locator(".jp-DirListing-item").get_by_text("tiny.html").dblclick()
    page = ada.frame_locator(".jp-HTMLViewer iframe")
    expect(page.get_by_text("Every element of the result is twice")).to_be_visible()
    expect(page.get_by_text("Short and right.")).to_be_visible()
    shot(ada, "feedback")
