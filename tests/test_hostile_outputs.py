"""What people see of a submission, in a real Chromium: nothing of a student's runs there, ordinary outputs show."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect

from tensorgrade.notebooks import read_notebook, student_version
from tests.commands import run
from tests.hostile_outputs import (
    ACTIVE,
    ELSEWHERE,
    HTML,
    OTHER,
    TEXTS,
    Watch,
    code,
    filled,
    hostile_answer,
    hostile_cells,
)
from tests.running_hub import chromium

TINY = Path(__file__).parent / "courses" / "tiny"
NOTEBOOK, LATEX = "#notebook-container", ".output_latex"  # in the layout of nbgrader's feedback


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all pages."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny course with a hostile and an honest submission, graded and fed back."""
    root = tmp_path_factory.mktemp("shown") / "course"
    shutil.copytree(TINY, root)
    for student, first in (("eve", code()), ("ann", "")):
        notebook = student_version(read_notebook(TINY / "source" / "tiny" / "tiny.ipynb"))
        notebook.cells[2].source = f"def double(x):\n    return x + x\n\n\n{first}"
        if first:
            hostile_answer(notebook.cells[4])
            notebook.cells += hostile_cells()
        (root / "submitted" / student / "tiny").mkdir(parents=True)
        nbformat.write(notebook, root / "submitted" / student / "tiny" / "tiny.ipynb")
    for command in ("grade", "feedback"):
        done = run(root, "tensorgrade", command, "tiny")
        assert done.returncode == 0, done.stderr
    return root


def opened(browser: Browser, file: Path) -> tuple[Page, Watch]:
    """A page from a file, watched from before it loads; other machines do not answer."""
    page = browser.new_page()
    page.route("http*://**", lambda route: route.abort())
    watch = Watch(page)
    page.goto(file.as_uri())
    return page, watch


def test_payloads_run_where_nothing_guards(browser: Browser) -> None:
    """The payloads are real: of those in HTML, each alone on a page, more than twenty run or call out."""
    page = browser.new_page()
    page.route("http*://**", lambda route: route.abort())
    watch, ran = Watch(page), set[str]()
    for name, template in HTML.items():
        page.set_content(filled(template, name))
        ran |= watch.names(30)
    called = {address for address in watch.asked if address.startswith(ELSEWHERE)}
    assert len(called) >= 4
    assert len(ran) + len(called) > 20
    assert len(HTML) + len(OTHER) + len(TEXTS) >= 50


@pytest.mark.parametrize("name", ["feedback/{}/tiny/tiny.html", "autograded/{}/tiny/staff-report.html"])
def test_pages_run_nothing(course: Path, browser: Browser, name: str) -> None:
    """No payload runs, no dialog opens, and nobody is asked for anything but what an honest student's page asks for."""
    _, honest = opened(browser, course / name.format("ann"))
    page, watch = opened(browser, course / name.format("eve"))
    assert watch.names() == set()
    assert watch.problems == []
    assert set(watch.asked) - {page.url} <= set(honest.asked)
    inside = NOTEBOOK if name.startswith("feedback") else "body"
    assert page.locator(inside).count() > 0
    assert page.evaluate(ACTIVE, inside) == []


def test_ordinary_outputs_still_show(course: Path, browser: Browser) -> None:
    """A table of pandas, a figure of matplotlib, HTML, LaTeX and text are in the feedback, beside the hostile ones."""
    page, _ = opened(browser, course / "feedback" / "eve" / "tiny" / "tiny.html")
    expect(page.locator("table.dataframe")).to_contain_text("0.25")
    expect(page.get_by_role("heading", name="plain markup")).to_be_visible()
    widths = page.locator("img[src^='data:image/png']").evaluate_all("all => all.map(e => e.naturalWidth)")
    assert max(widths) > 200
    assert 1 in widths  # the attachment of a text cell
    expect(page.locator(LATEX, has_text="\\sum_{i=1}^n i")).to_have_count(1)
    expect(page.get_by_text("plain text", exact=True).first).to_be_visible()
    assert page.locator("strong", has_text="bold").count() >= 1
