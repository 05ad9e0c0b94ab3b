"""The exchange's pages in a browser: hand in without a server, keep the receipt, read the feedback; and `submit`."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.running_exchange import (
    NOTEBOOK,
    TINY_PLACE,
    Asker,
    archive_of,
    audit_of,
    kill_exchange,
    token_of,
    wait_until_up,
)
from tests.running_hub import Hub, Member, chromium, hub_of_two_courses, signed_in

PLACE = "/services/exchange"
Shot = Callable[[Page, str], None]


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """A hub, started once."""
    with hub_of_two_courses(exchange="[service]\nupload_mib = 2\n") as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def iris(hub: Hub) -> Asker:
    """An instructor, who has released the assignment."""
    asker = Asker("iris", hub, token_of(Member(hub, "iris")))
    due = {"due": "2030-02-03T15:00:00Z"}
    assert asker.ask("PUT", TINY_PLACE, data=archive_of(), params=due).status_code == 200
    return asker


@pytest.fixture(scope="module")
def ada(hub: Hub, browser: Browser, iris: Asker) -> Page:
    """A student who has signed in, and has no server."""
    return signed_in(browser, hub, "ada")


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    """Takes a picture of a step; TENSORGRADE_SCREENSHOTS names the folder to keep them in."""
    folder = Path(os.environ.get("TENSORGRADE_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return lambda page, name: page.screenshot(path=folder / f"exchange-{name}.png", full_page=True) and None


def notebook(folder: Path, name: str = "tiny.ipynb", more: bytes = b"") -> Path:
    """A file to hand in."""
    (folder / name).write_bytes(NOTEBOOK + more)
    return folder / name


def test_a_student_hands_in_with_the_keyboard(hub: Hub, ada: Page, iris: Asker, tmp_path: Path, shot: Shot) -> None:
    """From the hub's list of services to the receipt without a mouse, then the feedback; every field has a name."""
    ada.goto(f"{hub.address}/hub/home")
    ada.get_by_role("button", name="Services").click()
    ada.get_by_role("link", name="exchange").press("Enter")
    row = ada.get_by_role("row").filter(has=ada.get_by_role("rowheader", name="tiny"))
    expect(row).to_contain_text("2030-02-03 15:00:00")
    expect(row).to_contain_text("not yet")
    shot(ada, "start")
    ada.get_by_role("link", name="tiny").press("Enter")
    expect(ada.get_by_role("heading", level=1)).to_have_text("tiny")
    ada.keyboard.press("Tab")
    expect(ada.get_by_role("link", name="Skip to the content")).to_be_focused()
    field = ada.get_by_label("Files to hand in")
    expect(field).to_have_accessible_description("Expected: tiny.ipynb. Choose all files of this submission; "
                                                 "together at most 2 MiB. The last submission counts, and earlier "
                                                 "ones are kept.")  # fmt: skip
    shot(ada, "form")
    field.set_input_files([notebook(tmp_path), notebook(tmp_path, "größe.txt")])
    field.focus()
    ada.keyboard.press("Tab")
    expect(ada.get_by_role("button", name="Hand in", exact=True)).to_be_focused()
    ada.keyboard.press("Enter")
    expect(ada.get_by_role("status")).to_contain_text("Number 1 of ada for tiny is kept.")
    shot(ada, "receipt")
    with ada.expect_download() as saved:
        ada.get_by_role("link", name="Save this receipt").press("Enter")
    receipt = json.loads(saved.value.path().read_text())
    assert (receipt["student"], receipt["notebooks"]) == ("ada", ["tiny"])
    stored = iris.ask("GET", f"/submissions/{receipt['receipt']}/files").content
    assert hashlib.sha256(stored).hexdigest() == receipt["sha256"]
    assert audit_of(hub)[-1]["receipt"] == receipt["receipt"]
    hostile = b"<h1>Well done</h1><script>document.title = 'ran'</script><img src=/hub/home>"
    iris.ask("PUT", f"/submissions/{receipt['receipt']}/feedback", data=archive_of({"tiny.html": hostile}))
    ada.reload()
    ada.get_by_role("link", name="Feedback on tiny").press("Enter")
    expect(ada.get_by_role("heading", name="Well done")).to_be_visible()
    assert ada.title() != "ran"


@pytest.mark.parametrize(
    ("names", "more", "reason"),
    [
        pytest.param(["tiny (1).ipynb"], b"", "tiny.ipynb is missing; you have chosen tiny (1).ipynb", id="renamed"),
        pytest.param(["tiny.ipynb"], os.urandom(3 * 1024**2), "larger than 2 MiB", id="large"),
    ],
)
def test_a_mistake_is_said_where_it_was_made(
    hub: Hub, ada: Page, tmp_path: Path, shot: Shot, names: list[str], more: bytes, reason: str
) -> None:
    """What is not taken is said in an alert and beside the field, and the form is there for another try."""
    ada.goto(f"{hub.address}{PLACE}/courses/dl101/tiny")
    field = ada.get_by_label("Files to hand in")
    field.set_input_files([notebook(tmp_path, name, more) for name in names])
    ada.get_by_role("button", name="Hand in", exact=True).click()
    expect(ada.get_by_role("alert")).to_contain_text(reason)
    expect(ada).to_have_title("Not taken: tiny")
    assert "problem" in str(field.get_attribute("aria-describedby"))
    shot(ada, f"problem-{len(more)}")


def test_people_stay_signed_in_when_the_exchange_is_killed(hub: Hub, ada: Page, tmp_path: Path) -> None:
    """The form that is open before kill -9 works after it."""
    ada.goto(f"{hub.address}{PLACE}/courses/dl101/tiny")
    ada.get_by_label("Files to hand in").set_input_files(notebook(tmp_path, more=b"\n"))
    kill_exchange(hub)
    wait_until_up(hub)
    ada.get_by_role("button", name="Hand in", exact=True).click()
    expect(ada.get_by_role("status")).to_contain_text("is kept")


def test_pages_are_for_whom_they_are(hub: Hub, browser: Browser, ada: Page, iris: Asker) -> None:
    """Other people's receipts, feedback and courses: 403, a page that says so, and a line in the log."""
    mine = Asker("ada", hub, token_of(Member(hub, "ada"))).submit(archive_of({"tiny.ipynb": b"hers"})).json()["receipt"]
    iris.ask("PUT", f"/submissions/{mine}/feedback", data=archive_of({"tiny.html": b"hers"}))
    eve = signed_in(browser, hub, "eve")
    for path in (f"/receipts/{mine}", f"/receipts/{mine}/files", f"/receipts/{mine}/receipt.json",
                 f"/receipts/{mine}/feedback/tiny", "/courses/dl101/tiny", "/courses/dl101/tiny/files"):  # fmt: skip
        answer = eve.goto(f"{hub.address}{PLACE}{path}")
        assert answer is not None
        assert answer.status == 403, path
        assert (audit_of(hub)[-1]["who"], audit_of(hub)[-1]["status"]) == ("eve", 403)
    eve.goto(f"{hub.address}{PLACE}/")
    expect(eve.get_by_text("Deep learning")).to_have_count(0)


def test_another_page_cannot_hand_in(hub: Hub, iris: Asker) -> None:
    """A form that somebody else's page sends with a student's cookies lacks what only ours knows; it hears so."""
    member = Member(hub, "bob")
    assert member.get(f"{PLACE}/").status_code == 200
    path = f"{hub.address}{PLACE}/courses/dl101/tiny"
    for forged in ("", "?_xsrf=0"):
        for more in (b"", os.urandom(1_000_000)):
            files = {"files": ("tiny.ipynb", NOTEBOOK + more)}
            answer = member.session.post(path + forged, files=files, timeout=60)
            assert (answer.status_code, "xsrf" in answer.text.lower()) == (403, True)
            assert (audit_of(hub)[-1]["status"], audit_of(hub)[-1]["who"]) == (403, None)
    assert iris.ask("GET", "/submissions?course=dl101&student=bob").json()["submissions"] == []


@pytest.mark.parametrize(
    ("who", "mib", "status"), [("nobody", 7, 401), ("wrong", 7, 403), ("iris", 7, 403), ("bob", 30, 413)]
)
def test_who_is_refused_hears_why(hub: Hub, iris: Asker, who: str, mib: int, status: int) -> None:
    """While a large body is still being sent: the proxy passes on what the exchange says, and no error of its own."""
    tokens = {"nobody": "", "wrong": "0" * 32, "iris": iris.token}
    answer = Asker(who, hub, tokens[who] if who in tokens else token_of(Member(hub, who))).submit(bytes(mib * 1024**2))
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]


def submit(hub: Hub, token: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command on a machine that is no part of the hub."""
    program = [sys.executable, "-m", "tensorgrade", "submit", *words, "--hub", hub.address]
    environment = {**os.environ, "TENSORGRADE_TOKEN": token}
    return subprocess.run(program, env=environment, capture_output=True, text=True, check=False)


def test_the_command_hands_in(hub: Hub, iris: Asker, tmp_path: Path) -> None:
    """A notebook or a folder, with a token: the receipt is printed and kept; what is refused is one sentence."""
    token = token_of(Member(hub, "bob"), ["access:services!service=exchange"])
    done = submit(hub, token, "tiny", str(notebook(tmp_path)), "--course", "dl101")
    assert done.returncode == 0, done.stderr
    receipt = json.loads((tmp_path / "receipt-dl101-tiny-1.json").read_text())
    assert f"receipt {receipt['receipt']}, kept in" in done.stdout
    assert iris.ask("GET", f"/submissions/{receipt['receipt']}").json() == receipt
    folder = tmp_path / "work"
    (folder / "feedback").mkdir(parents=True)
    notebook(folder, more=b" ")
    assert "number 2" in submit(hub, token, "tiny", str(folder), "--course", "dl101").stdout
    refused = submit(hub, token, "tiny", str(folder), "--course", "ml1")
    assert (refused.returncode, refused.stderr) == (1, "tensorgrade: exchange: you are no student of ml1\n")
