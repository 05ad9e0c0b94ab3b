"""The grading page: who may open it, what it refuses, and that one grade does not hold up the others."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote, urlsplit

import nbformat
import pytest
import requests
from nbgrader.api import Gradebook
from playwright.sync_api import expect

from tensorgrade.hub.courses import read_courses
from tensorgrade.hub.folders import MachineFolders
from tensorgrade.hub.room import home_of, room_command
from tests import hostile_outputs
from tests.running_exchange import Asker, kill_service, token_of
from tests.running_hub import (
    SECONDS,
    TINY,
    Hub,
    Member,
    children_of,
    chromium,
    environment_of,
    hub_of_two_courses,
    signed_in,
)
from tests.taker import taking
from tests.test_browser import keep_picture

PAGE = "/services/grading-dl101"
OTHER = "/services/grading-ml1"
# Code that says what it could reach, in the place of an answer.
PROBE = """
import os
from pathlib import Path

def looked(path):
    try:
        return repr(Path(path).read_bytes()[:40])
    except OSError as error:
        return type(error).__name__

found = [name for name in os.environ if "JUPYTERHUB" in name or "TOKEN" in name]
print("SECRETS", found, looked("{course}/gradebook.db"), looked("{course}/source/tiny/tiny.ipynb"))
for process in Path("/proc").iterdir():
    if process.name.isdigit():
        try:
            found += [name for name in (process / "environ").read_text().split("\\0") if "JUPYTERHUB" in name]
        except OSError:
            pass
print("PROCESSES", found)

def double(x):
    return x + x
"""
SLOW = """
import time
time.sleep(6)

def double(x):
    return x + x
"""


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """The hub, started once."""
    with hub_of_two_courses() as started:
        hand_in(started, "ada", "def double(x):\n    return x + x\n")
        yield started


@pytest.fixture(scope="module")
def people(hub: Hub) -> dict[str, Member]:
    """Everybody, signed in."""
    return {user: Member(hub, user) for user in hub.passwords}


@pytest.fixture(scope="module")
def tom(people: dict[str, Member]) -> Member:
    """A TA of the first course, who has opened its page, with one graded submission."""
    people["tom"].get(f"{PAGE}/formgrader")
    assert done(people["tom"], "/submission/tiny/ada/autograde")["success"]
    return people["tom"]


def course_of(hub: Hub) -> Path:
    """The directory of the first course."""
    return hub.state / "courses" / "dl101"


def hand_in(hub: Hub, student: str, code: str) -> None:
    """Put a submission where collect would."""
    folder = course_of(hub) / "submitted" / student / "tiny"
    notebook = nbformat.read(TINY / "source" / "tiny" / "tiny.ipynb", as_version=4)
    notebook.cells[2].source = code
    notebook.cells[4].source = "<img src=x onerror='document.title=1'><script>document.title = 2</script> **bold**"
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / "tiny.ipynb")
    owner = course_of(hub).stat()
    for path in (folder.parent, folder, folder / "tiny.ipynb"):
        shutil.chown(path, owner.st_uid, owner.st_gid)


def done(member: Member, command: str) -> dict[str, object]:
    """Press a button of the page and wait."""
    answer = member.ask("POST", f"{PAGE}/formgrader/api{command}")
    assert answer.status_code == 200, answer.text
    result: dict[str, object] = json.loads(answer.text)
    return result


def submission_of(hub: Hub, student: str) -> str:
    """The id of a graded notebook."""
    with Gradebook(f"sqlite:///{course_of(hub) / 'gradebook.db'}", "dl101") as gradebook:
        return str(gradebook.find_submission_notebook("tiny", "tiny", student).id)


# Who may open what

ROLES = {
    "iris": (200, 403),
    "tom": (200, 403),
    "ivo": (403, 200),
    "tea": (403, 200),
    "ada": (403, 403),
    "bob": (403, 403),
    "eve": (403, 403),
}
PATHS = (
    "",
    "/formgrader",
    "/formgrader/manage_assignments",
    "/formgrader/manage_submissions/tiny",
    "/formgrader/gradebook",
    "/formgrader/gradebook/tiny",
    "/formgrader/gradebook/tiny/tiny",
    "/formgrader/manage_students",
    "/formgrader/manage_students/ada",
    "/formgrader/manage_students/ada/tiny",
    "/formgrader/api/status",
    "/formgrader/api/assignments",
    "/formgrader/api/assignment/tiny",
    "/formgrader/api/submissions/tiny",
    "/formgrader/api/students",
    "/formgrader/api/jobs",
)


@pytest.mark.parametrize("user", ROLES)
def test_each_page_is_for_the_staff_of_its_course(people: dict[str, Member], tom: Member, user: str) -> None:
    """Every page answers the staff of its course, and nobody else, staff of another course included."""
    for service, status in zip((PAGE, OTHER), ROLES[user], strict=True):
        answers = {path: people[user].get(service + path).status_code for path in PATHS}
        missing = {"/formgrader/api/assignment/tiny"} if service == OTHER else set()
        assert {path: code for path, code in answers.items() if path not in missing} == {
            path: status for path in PATHS if path not in missing
        }


COMMANDS = ("assign", "release", "unrelease", "collect", "generate_feedback", "release_feedback")


@pytest.mark.parametrize("user", ["ada", "eve", "tea", "ivo"])
def test_commands_are_for_the_staff_of_the_course(people: dict[str, Member], user: str) -> None:
    """No button of the page works for a student, or for staff of another course."""
    places = [f"/assignment/tiny/{command}" for command in COMMANDS]
    places += ["/submission/tiny/ada/autograde", "/submissions/tiny/autograde"]
    people[user].get(f"{PAGE}/formgrader")
    for place in places:
        assert people[user].ask("POST", f"{PAGE}/formgrader/api{place}").status_code == 403
    for method in ("PUT", "DELETE"):
        assert people[user].ask(method, f"{PAGE}/formgrader/api/assignment/tiny").status_code in (403, 405)


def test_a_forged_request_is_refused(tom: Member) -> None:
    """A command without the token of the page, as another site could send it, is refused."""
    answer = tom.session.post(f"{tom.address}{PAGE}/formgrader/api/assignment/tiny/collect", timeout=SECONDS)
    assert answer.status_code == 403
    token = {"X-XSRFToken": people_token(tom, "/hub/")}
    foreign = tom.session.post(
        f"{tom.address}{PAGE}/formgrader/api/assignment/tiny/collect", headers=token, timeout=SECONDS
    )
    assert foreign.status_code == 403


def people_token(member: Member, path: str) -> str:
    """The token for another part of the hub."""
    return next(str(cookie.value) for cookie in member.session.cookies if (cookie.name, cookie.path) == ("_xsrf", path))


def test_a_student_reads_no_submission(hub: Hub, people: dict[str, Member], tom: Member) -> None:
    """The page of a submission and the files beside it are for staff, and hold nothing of another folder."""
    page = f"{PAGE}/formgrader/submissions/{submission_of(hub, 'ada')}/"
    for path, status in (
        ("", 200),
        ("staff-report.html", 200),
        ("timestamp.txt", 404),
        ("%2e%2e/../gradebook.db", 404),
    ):
        assert tom.get(page + path).status_code == status, path
        assert people["ada"].get(page + path).status_code in (403, 404), path
    assert tom.get(page + "..%2f..%2f..%2fgradebook.db").status_code == 404
    assert tom.get(page + "tiny.ipynb").headers["Content-Disposition"].startswith("attachment")


# What is refused


def test_no_settings_are_read_from_an_address(hub: Hub, tom: Member, tmp_path: Path) -> None:
    """An address that names a folder is answered 400, on every page."""
    for path in PATHS:
        assert tom.get(f"{PAGE}{path}?path={course_of(hub) / 'submitted'}").status_code == 400, path


@pytest.mark.parametrize("name", ['a";alert(1)//', "a\\", "<b>", ".hidden", "-x", "*", "a'b"])
def test_names_that_no_course_has_are_not_found(tom: Member, name: str) -> None:
    """A name that could end a text in a script, or mean several files, leads nowhere."""
    for place in ("manage_submissions/{}", "manage_students/{}/tiny", "gradebook/tiny/{}", "api/assignment/{}"):
        answer = tom.get(f"{PAGE}/formgrader/{place.format(quote(name, safe=''))}", allow_redirects=False)
        assert answer.status_code == 404, place


def test_only_the_pages_own_scripts_run(hub: Hub, tom: Member) -> None:
    """Pages allow scripts by a number that is new each time; a student's text brings none to the TA's browser."""
    page = f"{PAGE}/formgrader/submissions/{submission_of(hub, 'ada')}/"
    first, second = (tom.get(page).headers["Content-Security-Policy"] for _ in range(2))
    assert first != second
    for policy in (first, second):
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'"
        assert "unsafe-inline" not in rules["script-src"]
        assert "unsafe-eval" not in rules["script-src"]
    with chromium() as browser:
        window = signed_in(browser, hub, "tom")
        window.goto(hub.address + page)
        expect(window.get_by_text("bold")).to_be_visible()
        expect(window.locator("#why")).to_be_visible()
        assert window.title() == "tiny"
        assert window.locator("#notebook [onerror]").count() == 0


def test_the_page_of_a_hostile_submission_runs_nothing(hub: Hub, tom: Member) -> None:
    """Payloads in outputs, texts, attachments and formulas run nothing there; ordinary outputs and formulas show."""
    hand_in(hub, "bob", f"def double(x):\n    return x + x\n\n\n{hostile_outputs.code()}")
    path = course_of(hub) / "submitted" / "bob" / "tiny" / "tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    hostile_outputs.hostile_answer(notebook.cells[4])
    notebook.cells += hostile_outputs.hostile_cells()
    nbformat.write(notebook, path)
    assert done(tom, "/submission/tiny/bob/autograde")["success"]
    with chromium() as browser:
        window = signed_in(browser, hub, "tom")
        watch = hostile_outputs.Watch(window)
        window.goto(f"{hub.address}{PAGE}/formgrader/submissions/{submission_of(hub, 'bob')}/")
        expect(window.locator("table.dataframe")).to_contain_text("0.25")
        expect(window.locator(".MathJax_Display").first).to_be_visible()
        expect(window.get_by_role("heading", name="plain markup")).to_be_visible()
        assert watch.names(2000) == set()
        assert watch.problems == []
        assert [one for one in watch.asked if not one.startswith((hub.address, "data:image/"))] == []
        shown = ".output_wrapper, .text_cell_render"
        assert window.locator(shown).count() > 10
        assert window.evaluate(hostile_outputs.ACTIVE, shown) == []
        keep_picture(window, "hostile-submission")


def test_a_long_comment_is_saved_and_what_is_not_is_said(hub: Hub, tom: Member) -> None:
    """A comment has more room than anybody needs; what does not fit stays in its field, with the reason below it."""
    address = f"{hub.address}{PAGE}/formgrader/submissions/{submission_of(hub, 'ada')}/"
    with chromium() as browser:
        window = signed_in(browser, hub, "tom")
        window.goto(address)
        field = window.locator("#why-comment")
        expect(field).to_have_attribute("placeholder", re.compile("."))
        for size, status in ((200_000, 200), (3_000_000, 413)):
            with window.expect_response(re.compile("/api/comment/")) as answer:
                field.fill("long " * (size // 5))
                field.blur()
            assert answer.value.status == status
        said = window.get_by_role("alert").filter(has_text="Not saved: it is longer than 1 MiB. Shorten it.")
        expect(said).to_be_visible()
        expect(window.locator(".comment-saved:visible")).to_have_count(0)
        assert field.input_value() == "long " * 600_000
        keep_picture(window, "comment-not-saved")
        window.context.set_offline(True)
        window.get_by_role("button", name="Save again").click()
        expect(window.get_by_role("alert")).to_contain_text("the page's server does not answer")
        window.context.set_offline(False)
        field.fill("shorter")
        window.get_by_role("button", name="Save again").click()
        expect(window.locator(".unsaved")).to_have_count(0)
        window.reload()
        expect(field).to_have_value("shorter")


@pytest.mark.parametrize("user", ["", "ada"])
def test_nobody_else_is_lent_memory_for_a_comment(hub: Hub, people: dict[str, Member], tom: Member, user: str) -> None:
    """Without a sign-in, or as a student, more than a little is refused by its length, before it was taken."""
    path = f"{PAGE}/formgrader/api/comment/1"
    assert tom.get(path).status_code == 404  # the page is loaded
    head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n"
    if user:
        people[user].get(f"{PAGE}/formgrader")
        cookies = "; ".join(f"{one.name}={one.value}" for one in people[user].session.cookies)
        head += f"Cookie: {cookies}\r\nX-XSRFToken: {people[user]._token(path)}\r\n"
    with socket.create_connection(("127.0.0.1", hub.port), timeout=10) as connection:
        connection.sendall(f"{head}\r\n1".encode())
        assert connection.recv(12) == b"HTTP/1.1 400"


def test_graded_code_reaches_no_token_and_no_gradebook(hub: Hub, tom: Member) -> None:
    """What a submission runs finds no token of the hub, no gradebook and no solution."""
    hand_in(hub, "bob", PROBE.replace("{course}", str(course_of(hub))))
    assert done(tom, "/submission/tiny/bob/autograde")["success"]
    text = (course_of(hub) / "autograded" / "bob" / "tiny" / "tiny.ipynb").read_text()
    assert "SECRETS [] FileNotFoundError FileNotFoundError" in text
    assert "PROCESSES []" in text


def test_the_page_runs_as_nobody_in_particular(hub: Hub, tom: Member) -> None:
    """Each course's page has an account of its own that is not root's, and sees no home."""
    owners = {}
    for pid in children_of(hub.process.pid):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"grading-page" in words and b"bwrap" not in words[0]:
                owners[words[words.index(b"grading-page") + 1].decode()] = Path(f"/proc/{pid}").stat().st_uid
                assert not list(Path(f"/proc/{pid}/root{hub.state}/homes").glob("*"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    assert set(owners) == {"dl101", "ml1"}
    for name, owner in owners.items():
        assert owner == (hub.state / "courses" / name).stat().st_uid


def test_a_long_grade_holds_up_nobody(hub: Hub, people: dict[str, Member], tom: Member) -> None:
    """While one TA waits for a grade, another one's pages come at once and say what runs."""
    hand_in(hub, "ada", SLOW)
    people["iris"].get(f"{PAGE}/formgrader")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(done, tom, "/submission/tiny/ada/autograde")
        while not (running := people["iris"].get(f"{PAGE}/formgrader/api/jobs").json()["running"]):
            assert not waiting.done()
            time.sleep(0.05)
        assert (running["action"], running["student"]) == ("autograde", "ada")
        for path in PATHS:
            assert people["iris"].get(PAGE + path).status_code == 200
        assert not waiting.done()  # all pages came while the cell that sleeps for six seconds was running
        assert waiting.result()["success"]


@pytest.mark.proof
def test_commands_wait_for_each_other(hub: Hub, people: dict[str, Member], tom: Member) -> None:
    """Two TAs may press two buttons at once: one command runs after the other, and both succeed."""
    people["iris"].get(f"{PAGE}/formgrader")
    with ThreadPoolExecutor(2) as pool:
        asked = [
            pool.submit(done, tom, "/assignment/tiny/assign"),
            pool.submit(done, people["iris"], "/submissions/tiny/autograde"),
        ]
        assert [one.result()["success"] for one in asked] == [True, True]


def test_what_does_not_exist_is_no_command(tom: Member) -> None:
    """A command on an assignment that is not there starts nothing."""
    assert tom.ask("POST", f"{PAGE}/formgrader/api/assignment/nothing/collect").status_code == 404


@pytest.mark.proof
def test_a_command_that_fails_says_why(tom: Member) -> None:
    """What the command said is shown to who pressed the button."""
    result = done(tom, "/submission/tiny/nobody/autograde")
    assert result["success"] is False
    assert "nobody" in str(result["log"])


def test_the_port_of_a_killed_page_is_nobody_elses(hub: Hub, tom: Member) -> None:
    """A program in a student's room tries all the time and never gets it; who asks meanwhile is answered afterwards."""
    page = f"{PAGE}/formgrader/manage_assignments"
    address = environment_of(hub, "tensorgrade.hub.supervisor", "grading-dl101")["JUPYTERHUB_SERVICE_URL"]
    with taking(urlsplit(address).port or 0, room_command(home_of("eve", hub.state / "homes"), ())) as took:
        kill_service(hub, b"grading-page", b"dl101")
        assert requests.get(address + page, allow_redirects=False, timeout=SECONDS).status_code == HTTPStatus.FOUND
        assert tom.get(page).status_code == HTTPStatus.OK
        tries, taken = took()
    assert (tries > 100, taken) == (True, "[]")


# The way of an assignment


def in_room(hub: Hub, student: str, token: str, *command: str) -> str:
    """Run nbgrader in a student's room, as the extensions of JupyterLab do."""
    courses = read_courses(hub.state.parent / "operator" / "hub_config" / "courses.toml")
    folders, home = MachineFolders(hub.state, TINY), home_of(student, hub.state / "homes")
    settings = hub.state.parent / "operator" / "hub_config" / "jupyter"
    shared = folders.shared(courses, {"nbgrader-dl101"})
    room = room_command(home, (settings, *shared.readable), shared.writable, shared.groups)
    environment = {
        "HOME": str(home),
        "USER": student,
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "JUPYTERHUB_USER": student,
        "JUPYTER_CONFIG_PATH": f"{settings}/student:{settings}/all",
        "JUPYTERHUB_API_TOKEN": token,
        "TENSORGRADE_EXCHANGE": f"{hub.address}/services/exchange",
    }
    program = [*room, str(Path(sys.executable).parent / "nbgrader"), *command]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.proof
def test_an_assignment_goes_out_and_comes_back(hub: Hub, people: dict[str, Member], tom: Member) -> None:
    """What staff release on the page students fetch; what they hand in is collected, graded and fed back to them."""
    for command in ("assign", "release"):
        assert done(tom, f"/assignment/tiny/{command}")["success"], command
    token = token_of(people["bob"])
    in_room(hub, "bob", token, "fetch_assignment", "tiny", "--course", "dl101")
    notebook = hub.state / "homes" / "bob" / "dl101" / "tiny" / "tiny.ipynb"
    notebook.write_text(notebook.read_text().replace("raise NotImplementedError()", "return x + x"))
    in_room(hub, "bob", token, "submit", "tiny", "--course", "dl101")
    shutil.rmtree(course_of(hub) / "submitted")
    assert done(tom, "/assignment/tiny/collect")["success"]
    assert done(tom, "/submissions/tiny/autograde")["success"]
    answers = json.loads(tom.get(f"{PAGE}/formgrader/api/submissions/tiny").text)
    assert {answer["student"]: answer["score"] for answer in answers if answer["autograded"]}["bob"] == 4
    for command in ("generate_feedback", "release_feedback"):
        result = done(tom, f"/assignment/tiny/bob/{command}")
        assert result["success"], result
    in_room(hub, "bob", token, "fetch_feedback", "tiny", "--course", "dl101")
    [page] = notebook.parent.glob("feedback/*/tiny.html")
    assert "Every element of the result is twice" in page.read_text()
    assert done(tom, "/assignment/tiny/unrelease")["success"]
    assert Asker("bob", hub, token).ask("GET", "/assignments").json() == {"assignments": []}
