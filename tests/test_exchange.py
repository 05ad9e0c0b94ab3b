"""The exchange as a service of the hub: what it answers, to whom, and what nobody can do to somebody else.

The numbers S1 to S10 are those of attacks that succeed on nbgrader's own exchange, a folder that everybody may write.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
import requests
from nbgrader.utils import parse_utc

from tensorgrade.hub.courses import read_courses
from tensorgrade.hub.exchange.callers import address_of
from tensorgrade.hub.exchange.handlers import of_disk
from tensorgrade.hub.folders import MachineFolders
from tensorgrade.hub.room import home_of, room_command
from tests.commands import run
from tests.running_exchange import (
    API,
    TINY_PLACE,
    Asker,
    Upload,
    archive_of,
    audit_of,
    kill_exchange,
    kill_under_load,
    link,
    token_of,
)
from tests.running_hub import SECONDS, TINY, TWO_COURSES, Hub, Member, environment_of, hub_of_two_courses
from tests.taker import taking

STRICT = "late_hours = 1\n"
FEW = "[service]\nstudent_mib = 20\nunpacked_mib = 20\n"
WATCHER = """
c.JupyterHub.services.append({"name": "watcher", "api_token": "watches-the-exchange-and-nothing-else"})
scopes = ["read:metrics", "access:services!service=exchange"]
c.JupyterHub.load_roles.append({"name": "watcher", "services": ["watcher"], "scopes": scopes})
"""
OTHER_PLACE = "/courses/ml1/assignments/tiny"
LINUX = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give people and services accounts")


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """A hub, started once; of the second course nothing is taken an hour after the due date."""
    with hub_of_two_courses(TWO_COURSES + STRICT, FEW, WATCHER) as started:
        yield started


@pytest.fixture(scope="module")
def members(hub: Hub) -> dict[str, Member]:
    """Everybody, signed in."""
    return {user: Member(hub, user) for user in hub.passwords}


@pytest.fixture(scope="module")
def people(hub: Hub, members: dict[str, Member]) -> dict[str, Asker]:
    """Everybody with a token; the assignment is out in both courses."""
    found = {user: Asker(user, hub, token_of(member)) for user, member in members.items()}
    for user, place in (("iris", TINY_PLACE), ("ivo", OTHER_PLACE)):
        answer = found[user].ask("PUT", place, data=archive_of())
        assert answer.status_code == 200, answer.text
    return found


@pytest.fixture(scope="module")
def submission(people: dict[str, Asker]) -> str:
    """The receipt of something that ada has handed in, with feedback on it."""
    receipt = str(people["ada"].submit(archive_of({"tiny.ipynb": b"hers"})).json()["receipt"])
    pages = archive_of({"tiny.html": b"<p>well done</p>"})
    assert people["tom"].ask("PUT", f"/submissions/{receipt}/feedback", data=pages).status_code == 200
    return receipt


# What is answered


def test_curl_hands_in_and_gets_a_receipt(hub: Hub, people: dict[str, Asker], tmp_path: Path) -> None:
    """Two commands that are on every machine are enough to hand in; the bytes come back as they went."""
    (tmp_path / "tiny.ipynb").write_text("{}")
    subprocess.run(["tar", "czf", tmp_path / "a.tar.gz", "-C", tmp_path, "tiny.ipynb"], check=True)
    curl = ["curl", "--silent", "--show-error", "--header", f"Authorization: token {people['bob'].token}"]
    address = f"{hub.address}{API}"
    sent = [*curl, "--data-binary", f"@{tmp_path / 'a.tar.gz'}", f"{address}{TINY_PLACE}/submissions"]
    receipt = json.loads(subprocess.run(sent, capture_output=True, check=True).stdout)
    assert receipt["sha256"] == hashlib.sha256((tmp_path / "a.tar.gz").read_bytes()).hexdigest()
    assert (receipt["student"], receipt["course"], receipt["assignment"]) == ("bob", "dl101", "tiny")
    assert (receipt["notebooks"], receipt["seconds_late"]) == (["tiny"], 0)
    fetched = subprocess.run(
        [*curl, f"{address}/submissions/{receipt['receipt']}/files"], capture_output=True, check=True
    )
    assert fetched.stdout == (tmp_path / "a.tar.gz").read_bytes()
    again = people["bob"].ask("GET", f"/submissions/{receipt['receipt']}")
    assert again.json() == receipt


def test_a_submission_that_is_sent_again_is_one(people: dict[str, Asker]) -> None:
    """Under the same key, or with the same bytes as the last one, the receipt is the first one's, time and all."""
    ada, key = people["ada"], uuid.uuid4().hex
    one, two = (archive_of({"tiny.ipynb": text}) for text in (b"one", b"two"))
    first = ada.submit(one, **{"Idempotency-Key": key})
    assert first.status_code == 201
    for more in ({"Idempotency-Key": key}, {"Idempotency-Key": uuid.uuid4().hex}, {}):
        again = ada.submit(one, **more)
        assert (again.status_code, again.json()) == (200, first.json())
    second = ada.submit(two)
    assert second.json()["number"] == first.json()["number"] + 1
    assert ada.submit(one, **{"Idempotency-Key": key}).json() == first.json()
    back = ada.submit(one)  # the student has changed her mind: this is a new one
    assert (back.status_code, back.json()["number"]) == (201, second.json()["number"] + 1)
    other = ada.submit(two, **{"Idempotency-Key": key})
    assert (other.status_code, other.json()["error"]) == (409, "this Idempotency-Key was used for other files")


def test_lists_say_what_is_out_and_what_was_handed_in(people: dict[str, Asker], submission: str) -> None:
    """Students see the assignments of their courses and their own submissions, staff everybody's in theirs."""

    def out(user: str) -> set[str]:
        return {one["course"] for one in people[user].ask("GET", "/assignments").json()["assignments"]}

    assert (out("ada"), out("bob"), out("eve"), out("tom")) == ({"dl101", "ml1"}, {"dl101"}, {"ml1"}, {"dl101"})
    people["bob"].submit()

    def students(user: str, course: str) -> set[str]:
        answer = people[user].ask("GET", "/submissions", params={"course": course})
        return {one["student"] for one in answer.json()["submissions"]}

    assert (students("ada", ""), students("tom", "dl101")) == ({"ada"}, {"ada", "bob"})
    assert students("tom", "") == set()  # without a course it is the caller's own


def test_a_name_may_have_any_letters(people: dict[str, Asker]) -> None:
    """An assignment whose name is not Latin goes out and comes back."""
    place = "/courses/dl101/assignments/作业一"
    assert people["iris"].ask("PUT", place, data=archive_of()).status_code == 200
    try:
        fetched = people["ada"].ask("GET", place)
        assert fetched.status_code == 200
        assert "filename*=UTF-8''%E4%BD%9C" in fetched.headers["Content-Disposition"]
    finally:
        people["iris"].ask("DELETE", place)


@pytest.mark.parametrize(
    ("name", "status"), [("a" * 128, 200), ("作" * 28, 200), ("作" * 29, 400)], ids=["ascii", "longest", "too long"]
)
def test_a_name_fits_into_a_folder(people: dict[str, Asker], name: str, status: int) -> None:
    """A name that a folder could not have is refused when it is released, in a sentence; the longest one works."""
    place = f"/courses/dl101/assignments/{name}"
    answer = people["iris"].ask("PUT", place, data=archive_of())
    assert answer.status_code == status, answer.text
    if status == 400:
        assert "expected at most 255 bytes as part of an address, got 261. Shorten the name" in answer.json()["error"]
    else:
        assert people["ada"].submit(place=place).status_code == 201
        people["iris"].ask("DELETE", place)


def test_lateness_is_the_servers(people: dict[str, Asker]) -> None:
    """Staff set a due date; what comes after it is late by the server's clock, and refused when the course says so."""
    ivo, eve = people["ivo"], people["eve"]
    now = datetime.now(UTC)
    assert ivo.ask("PATCH", OTHER_PLACE, params={"due": (now - timedelta(minutes=30)).isoformat()}).status_code == 200
    late = eve.submit(archive_of({"tiny.ipynb": b"late"}), OTHER_PLACE)
    assert late.status_code == 201
    assert 1800 <= late.json()["seconds_late"] < 2400
    assert ivo.ask("PATCH", OTHER_PLACE, params={"due": (now - timedelta(minutes=61)).isoformat()}).status_code == 200
    refused = eve.submit(archive_of({"tiny.ipynb": b"too late"}), OTHER_PLACE)
    assert refused.status_code == 403
    assert "it was taken until" in refused.json()["error"]
    assert ivo.ask("PATCH", OTHER_PLACE, params={"due": "tomorrow"}).status_code == 400
    assert ivo.ask("PATCH", OTHER_PLACE).json()["due"] is None
    assert eve.submit(archive_of({"tiny.ipynb": b"in time"}), OTHER_PLACE).json()["seconds_late"] == 0


def test_what_is_withdrawn_is_not_taken(people: dict[str, Asker]) -> None:
    """Staff take an assignment out of sight and put it back; it is not replaced by accident."""
    ivo, eve = people["ivo"], people["eve"]
    assert ivo.ask("DELETE", OTHER_PLACE).status_code == 200
    assert eve.ask("GET", "/assignments").json()["assignments"] == []
    assert eve.submit(place=OTHER_PLACE).status_code == eve.ask("GET", OTHER_PLACE).status_code == 404
    for status in (200, 412):
        again = ivo.ask("PUT", OTHER_PLACE, data=archive_of(), headers={"If-None-Match": "*"})
        assert again.status_code == status
    assert len(eve.ask("GET", "/assignments").json()["assignments"]) == 1


def test_health_is_open(hub: Hub) -> None:
    """What watches the service needs no token."""
    answer = requests.get(f"{hub.address}/services/exchange/health", timeout=60)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_kill_loses_nothing_that_has_a_receipt(hub: Hub, people: dict[str, Asker]) -> None:
    """Kill -9 three times while students hand in: every receipt leads to its bytes, and nothing is there twice."""
    place = "/courses/dl101/assignments/rush"
    assert people["iris"].ask("PUT", place, data=archive_of()).status_code == 200
    assert kill_under_load(hub, [people["ada"], people["bob"]], people["tom"], place, 3) > 2


def test_the_port_of_a_killed_exchange_is_nobody_elses(hub: Hub, members: dict[str, Member], submission: str) -> None:
    """A program in a student's room tries all the time and never gets it; who asks meanwhile is answered afterwards."""
    page = f"/services/exchange/receipts/{submission}"
    address = environment_of(hub, "tensorgrade.hub.supervisor", "exchange")["JUPYTERHUB_SERVICE_URL"]
    with taking(urlparse(address).port or 0, room_of(hub, "eve", set())) as took:
        kill_exchange(hub)
        assert requests.get(address + page, allow_redirects=False, timeout=SECONDS).status_code == HTTPStatus.FOUND
        assert members["ada"].get(page).status_code == HTTPStatus.OK
        tries, taken = took()
    assert (tries > 100, taken) == (True, "[]")


def test_figures_are_for_who_may_read_the_hubs_own(hub: Hub, people: dict[str, Asker], submission: str) -> None:
    """What Prometheus reads has numbers, no name, and is for a service with the scope, which sees nothing else."""
    address = f"{hub.address}/services/exchange/metrics"
    watcher = Asker("watcher", hub, "watches-the-exchange-and-nothing-else")
    headers = {"Authorization": f"token {watcher.token}"}
    assert people["ada"].ask("GET", "/assignments").status_code == 200
    text = requests.get(address, headers=headers, timeout=60).text
    assert 'exchange_requests_total{method="GET",status="200"}' in text
    assert "exchange_submission_bytes_count" in text
    assert "ada" not in text
    for other in (people["iris"], people["ada"]):
        refused = requests.get(address, headers={"Authorization": f"token {other.token}"}, timeout=60)
        assert refused.status_code == 403
    assert watcher.ask("GET", "/assignments").json() == {"assignments": []}
    assert watcher.ask("GET", f"/submissions/{submission}").status_code == 403


# Who may


FORBIDDEN = [
    # who, method, path; {ada} is the receipt of a submission of ada's
    ("nobody", "GET", "/assignments", 401),
    ("nobody", "POST", f"{TINY_PLACE}/submissions", 401),
    ("wrong", "GET", "/assignments", 403),
    ("eve", "POST", f"{TINY_PLACE}/submissions", 403),  # S4: not in the course
    ("eve", "GET", TINY_PLACE, 403),  # S4
    ("eve", "GET", "/assignments?course=dl101", 403),
    ("eve", "GET", "/submissions?course=dl101", 403),
    ("eve", "GET", "/submissions?student=ada", 403),
    ("bob", "GET", "/submissions?course=dl101&student=ada", 403),
    ("bob", "GET", "/submissions/{ada}", 403),
    ("bob", "GET", "/submissions/{ada}/files", 403),  # S5
    ("bob", "GET", "/submissions/{ada}/feedback", 403),  # S10
    ("ivo", "GET", "/submissions/{ada}/files", 403),  # staff of another course
    ("ivo", "GET", "/submissions?course=dl101", 403),
    ("ivo", "PUT", "/submissions/{ada}/feedback", 403),
    ("ivo", "PATCH", TINY_PLACE, 403),
    ("ada", "PUT", "/submissions/{ada}/feedback", 403),
    ("ada", "PUT", TINY_PLACE, 403),
    ("ada", "PATCH", TINY_PLACE, 403),
    ("ada", "DELETE", TINY_PLACE, 403),
    ("tom", "POST", f"{TINY_PLACE}/submissions", 403),  # staff hand nothing in
    ("ada", "POST", "/courses/nothing/assignments/tiny/submissions", 403),
    ("ada", "POST", "/courses/..%2Fdl101/assignments/tiny/submissions", 403),
    ("ada", "POST", "/courses/dl101/assignments/..%2F..%2Ftiny/submissions", 404),
    ("iris", "PUT", "/courses/dl101/assignments/..%2Ftiny", 400),
    ("iris", "PUT", "/courses/dl101/assignments/.hidden", 400),
    ("ada", "PUT", "/submissions/{ada}", 405),  # nothing changes a submission
    ("ada", "DELETE", "/submissions/{ada}", 405),
    ("tom", "DELETE", "/submissions/{ada}", 405),
]


@pytest.mark.parametrize(("who", "method", "path", "status"), FORBIDDEN)
def test_who_may_not_is_refused_and_written_down(
    hub: Hub, people: dict[str, Asker], submission: str, who: str, method: str, path: str, status: int
) -> None:
    """Without the role there is 403, and a line in the log that names who, what and why."""
    asker = people.get(who) or Asker(who, hub, "" if who == "nobody" else "0" * 32)
    known = len(audit_of(hub))
    answer = asker.ask(method, path.format(ada=submission), data=archive_of() if method in ("POST", "PUT") else None)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]
    [line] = audit_of(hub)[known:]
    assert (line["event"], line["status"], line["method"]) == ("refused", status, method)
    assert line["who"] == (who if who in people else None)
    assert line["reason"] == answer.json()["error"]


def test_owners_and_staff_read_what_others_may_not(people: dict[str, Asker], submission: str) -> None:
    """The same addresses answer to those whom they are for."""
    for user in ("ada", "tom", "iris"):
        for more in ("", "/files", "/feedback"):
            assert people[user].ask("GET", f"/submissions/{submission}{more}").status_code == 200, (user, more)
    assert people["ada"].ask("GET", f"/submissions/{'0' * 32}").status_code == 404


def test_a_token_for_something_else_opens_nothing(hub: Hub, members: dict[str, Member]) -> None:
    """A stolen token that may only read names, or one that was taken back, hands nothing in."""
    weak = Asker("ada", hub, token_of(members["ada"], ["read:users:name!user"]))
    for method, path in (("GET", "/assignments"), ("POST", f"{TINY_PLACE}/submissions")):
        answer = weak.ask(method, path, data=archive_of() if method == "POST" else None)
        assert (answer.status_code, answer.json()["error"]) == (403, "this token was not made for the exchange")
    assert audit_of(hub)[-1]["who"] == "ada"
    enough = Asker("ada", hub, token_of(members["ada"], ["access:services!service=exchange"]))
    assert enough.ask("GET", "/assignments").status_code == 200
    made = members["ada"].ask("POST", "/hub/api/users/ada/tokens", json={}).json()
    assert members["ada"].ask("DELETE", f"/hub/api/users/ada/tokens/{made['id']}").status_code == 204
    assert Asker("ada", hub, made["token"]).ask("GET", "/assignments").status_code == 403


def test_a_browsers_cookies_open_no_interface(hub: Hub, members: dict[str, Member]) -> None:
    """A page that makes a signed-in browser ask gets nothing: only a token counts."""
    assert members["ada"].get(f"{API}/assignments").status_code == 401
    assert members["ada"].ask("POST", f"{API}{TINY_PLACE}/submissions", data=archive_of()).status_code == 401


# Nobody hands in for somebody else, or at another time


def upload(way: str, asker: Asker, member: Member, name: str) -> Upload:
    """A submission by a student, of which the first half is sent, through the interface or by the page."""
    content = {"tiny.ipynb": uuid.uuid4().bytes}
    if way == "api":
        address = f"{asker.hub.address}{API}/courses/dl101/assignments/{name}/submissions"
        headers = {"Authorization": f"token {asker.token}"}
        request, session = requests.Request("POST", address, headers, data=archive_of(content)), requests.Session()
    else:
        path = f"/services/exchange/courses/dl101/{name}"
        member.get(path).raise_for_status()
        files = [("files", (one, bytes(10_000) + text)) for one, text in content.items()]
        headers = {"X-XSRFToken": member._token(path)}
        request, session = requests.Request("POST", asker.hub.address + path, headers, files), member.session
    return Upload(session.prepare_request(request), asker.hub.state / "exchange-service" / "incoming")


@pytest.fixture
def moment(people: dict[str, Asker]) -> Iterator[str]:
    """An assignment that nobody has handed in yet."""
    place = "/courses/dl101/assignments/moment"
    assert people["iris"].ask("PUT", place, data=archive_of()).status_code == 200
    yield place
    people["iris"].ask("DELETE", place)


def last_of(people: dict[str, Asker], user: str, place: str) -> dict[str, Any]:
    """The last submission of a student for an assignment."""
    where = {"course": "dl101", "assignment": place.rsplit("/", 1)[1], "student": user}
    found: dict[str, Any] = people["tom"].ask("GET", "/submissions", params=where).json()["submissions"][-1]
    return found


@pytest.mark.parametrize("way", ["api", "page"])
def test_what_ends_after_the_due_date_is_late(
    people: dict[str, Asker], members: dict[str, Member], moment: str, way: str
) -> None:
    """What counts is the last byte: nobody gets more time by beginning early and sending slowly."""
    sent = upload(way, people["ada"], members["ada"], "moment")
    now = datetime.now(UTC).isoformat()
    assert people["iris"].ask("PATCH", moment, params={"due": now}).status_code == 200
    sent.send_rest()
    assert sent.status() in (201, 303)
    assert 0 < last_of(people, "ada", moment)["seconds_late"] < 60


@pytest.mark.parametrize("way", ["api", "page"])
def test_what_has_come_is_not_late_because_of_others(
    hub: Hub, people: dict[str, Asker], members: dict[str, Member], moment: str, way: str
) -> None:
    """The last byte has come, nobody has the time to look at it, and the due date passes: it is in time."""
    sent = upload(way, people["bob"], members["bob"], "moment")
    with closing(sqlite3.connect(hub.state / "exchange-service" / "exchange.sqlite", isolation_level=None)) as other:
        other.execute("begin immediate")
        with ThreadPoolExecutor(40) as pool:
            waiting = [pool.submit(people["iris"].ask, "PATCH", TINY_PLACE, params={"due": ""}) for _ in range(40)]
            wait_until_busy(hub)
            sent.send_rest()
            time.sleep(1)
            due = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
            other.execute("update assignments set due_at = ? where name = 'moment'", [due])
            other.execute("commit")
            assert {one.result().status_code for one in waiting} == {200}
    assert sent.status() in (201, 303)
    found = last_of(people, "bob", moment)
    assert found["due"] == f"{due} UTC"
    assert found["seconds_late"] == 0


def wait_until_busy(hub: Hub) -> None:
    """Until nothing that needs the disk is answered any more."""
    deadline = time.monotonic() + SECONDS
    with suppress(requests.Timeout):
        while requests.get(f"{hub.address}/services/exchange/health", timeout=0.5):
            assert time.monotonic() < deadline


def test_a_third_upload_at_a_time_waits(people: dict[str, Asker], members: dict[str, Member], moment: str) -> None:
    """It is refused on both ways, the other two are taken, and so is what is sent after them; others send meanwhile."""
    ada, where = people["ada"], {"course": "dl101", "assignment": "moment"}
    before = len(ada.ask("GET", "/submissions", params=where).json()["submissions"])
    sent = [upload(way, ada, members["ada"], "moment") for way in ("api", "page")]
    third = ada.submit(archive_of({"tiny.ipynb": b"third"}), moment)
    assert (third.status_code, third.headers["Retry-After"]) == (429, "5")
    assert "two of your submissions are on their way" in third.json()["error"]
    path, files = "/services/exchange/courses/dl101/moment", {"files": ("tiny.ipynb", b"third")}
    page = members["ada"].ask("POST", path, files=files)
    assert (page.status_code, "two of your submissions are on their way" in page.text) == (429, True)
    assert people["bob"].submit(place=moment).status_code == 201
    for one in sent:
        one.send_rest()
    assert [one.status() for one in sent] == [201, 303]
    assert ada.submit(archive_of({"tiny.ipynb": b"third"}), moment).json()["number"] == before + 3


def test_a_name_or_a_time_in_the_request_is_no_matter(people: dict[str, Asker]) -> None:
    """S1, S2: whatever a request says of who and when, the token and the server's clock decide."""
    before = datetime.now(UTC).replace(tzinfo=None)
    forged = {"X-Forwarded-User": "ada", "Remote-User": "ada", "Date": "Thu, 01 Jan 2026 00:00:00 GMT"}
    place = f"{TINY_PLACE}/submissions?student=ada&user=ada&received=2026-01-01&timestamp=2026-01-01"
    answer = people["bob"].ask("POST", place, data=archive_of({"tiny.ipynb": b"forged"}), headers=forged)
    assert answer.json()["student"] == "bob"
    assert before <= parse_utc(answer.json()["received"]) <= datetime.now(UTC).replace(tzinfo=None)
    for name in ("timestamp.txt", "submission_receipt.txt"):
        refused = people["bob"].submit(archive_of({"tiny.ipynb": b"", name: b"2026-01-01 00:00:00 UTC"}))
        assert refused.status_code == 400, name


def test_nobody_chooses_the_address_in_the_log(hub: Hub, people: dict[str, Asker]) -> None:
    """What a request says of where it comes from stands in no line; the hub's proxy says it."""
    forged = {"X-Real-Ip": "198.51.100.7", "X-Forwarded-For": "198.51.100.7", "Forwarded": "for=198.51.100.7"}
    assert people["bob"].ask("GET", "/submissions?student=ada", headers=forged).status_code == 403
    assert audit_of(hub)[-1]["from"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("forwarded", "proxies", "address"),
    [
        ("", [], None),
        ("198.51.100.7, 203.0.113.5", [], "203.0.113.5"),
        ("198.51.100.7,203.0.113.5,10.0.0.7", ["10.0.0.7"], "203.0.113.5"),
        ("198.51.100.7,::ffff:203.0.113.5,::ffff:10.0.0.7", ["10.0.0.7"], "203.0.113.5"),
        ("10.0.0.7", ["10.0.0.7"], "10.0.0.7"),
        (f"10.0.0.7,{'x' * 99}", ["10.0.0.7"], "x" * 60),
    ],
)
def test_the_last_address_that_is_no_proxys_counts(forwarded: str, proxies: list[str], address: str | None) -> None:
    """What stands before it anybody can have written."""
    assert address_of(forwarded, proxies) == address


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(link("a", "/etc/passwd"), id="symlink"),
        pytest.param(link("a", "tiny.ipynb", tarfile.LNKTYPE), id="hard link"),
        pytest.param(link("a", "", tarfile.CHRTYPE), id="device"),
        pytest.param(archive_of({"../../ada/tiny/tiny.ipynb": b"x"}), id="parent"),
        pytest.param(archive_of({"/etc/cron.d/x": b"x"}), id="absolute"),
        pytest.param(archive_of({"a": bytes(21 * 1024**2)}), id="bomb"),
        pytest.param(b"not an archive", id="no archive"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_no_archive_may_hold_leaves_no_trace(hub: Hub, people: dict[str, Asker], data: bytes) -> None:
    """S3: links, devices, odd names and bombs are refused with a reason, and nothing of them is kept."""
    place = hub.state / "exchange-service"
    before = set(place.rglob("*.gz"))
    answer = people["bob"].submit(data)
    assert answer.status_code == 400, answer.text
    assert "the archive is not taken" in answer.json()["error"]
    assert audit_of(hub)[-1]["reason"] == answer.json()["error"]
    assert set(place.rglob("*.gz")) == before
    deadline = time.monotonic() + SECONDS
    while list(place.rglob("*.part")):  # the answer goes out first
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("has_length", [True, False])
def test_a_submission_that_is_too_large_is_refused(people: dict[str, Asker], has_length: bool) -> None:
    """With its length said before, or piece by piece: the reason arrives, and the connection was not just cut."""
    size = 101 * 1024**2
    pieces = (bytes(1024**2) for _ in range(101))
    answer = people["bob"].ask("POST", f"{TINY_PLACE}/submissions", data=bytes(size) if has_length else pieces)
    assert (answer.status_code, answer.json()["error"]) == (413, "expected at most 100 MiB, packed")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.EROFS])
def test_a_disk_is_full_only_if_it_is(code: int) -> None:
    """Of what else a disk may have, nobody hears that it is full."""
    full = code in (errno.ENOSPC, errno.EDQUOT)
    answer = of_disk(OSError(code, os.strerror(code)))
    assert (answer.status_code, "is full" in str(answer.log_message)) == ((507, True) if full else (503, False))


@pytest.mark.parametrize("folder", ["incoming", "objects/submissions/dl101/disk"])
def test_a_disk_that_cannot_be_used_is_said_and_loses_nothing(
    hub: Hub, people: dict[str, Asker], members: dict[str, Member], folder: str
) -> None:
    """The student hears to try again, the operator what it is; when it is mended, the same one is taken."""
    staff, ada, place = people["iris"], people["ada"], "/courses/dl101/assignments/disk"
    assert staff.ask("PUT", place, data=archive_of()).status_code == 200
    assert ada.submit(archive_of({"tiny.ipynb": folder.encode()}), place).status_code == 201
    listed = ada.ask("GET", "/submissions?course=dl101&assignment=disk").json()
    members["ada"].get("/services/exchange/courses/dl101/disk")
    broken, data = hub.state / "exchange-service" / folder, archive_of({"tiny.ipynb": b"again " + folder.encode()})
    with in_the_way(broken):
        answer = ada.submit(data, place)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "nothing was stored. Try again" in answer.json()["error"]
        page = members["ada"].ask(
            "POST", "/services/exchange/courses/dl101/disk", files={"files": ("tiny.ipynb", b"x")}
        )
        assert (page.status_code, "nothing was stored. Try again" in page.text) == (503, True)
    said = (hub.state / "hub.log").read_text()
    assert re.search(rf"{re.escape(str(broken))}\S*: Not a directory. Mend it", said)
    assert ada.ask("GET", "/submissions?course=dl101&assignment=disk").json() == listed
    assert ada.submit(data, place).json()["number"] == len(listed["submissions"]) + 1


@contextmanager
def in_the_way(folder: Path) -> Iterator[None]:
    """A file in the place of a folder: a disk that cannot be used, for root too."""
    away = folder.with_name("away")
    folder.rename(away)
    folder.touch()
    try:
        yield
    finally:
        folder.unlink()
        away.rename(folder)


@pytest.mark.parametrize("service", ["exchange", "grading-dl101"])
def test_nobody_takes_the_memory(hub: Hub, service: str) -> None:
    """A body that no page expects is refused by its length, before it was taken and without a token."""
    host = urlparse(hub.address)
    words = f"POST /services/{service}/nothing HTTP/1.1\r\nHost: {host.netloc}\r\nContent-Length: 65537\r\n\r\n1"
    with socket.create_connection((host.hostname, host.port), timeout=10) as connection:
        connection.sendall(words.encode())
        assert connection.recv(12) == b"HTTP/1.1 400"


def test_a_student_hands_in_only_so_much(people: dict[str, Asker]) -> None:
    """What the quota does not allow is refused, and the rest stays."""
    eve = people["eve"]
    before = len(eve.ask("GET", "/submissions").json()["submissions"])
    sizes = [eve.submit(archive_of({"tiny.ipynb": os.urandom(6_000_000)}), OTHER_PLACE).status_code for _ in range(4)]
    assert sizes == [201, 201, 201, 429]
    kept = eve.ask("GET", "/submissions").json()["submissions"]
    assert [one["number"] for one in kept] == list(range(1, before + 4))


@LINUX
def test_the_service_keeps_its_files_to_itself(hub: Hub, submission: str) -> None:
    """S5, S10: no room of the hub, be it of staff, holds the folder in which submissions and feedback lie."""
    place = hub.state / "exchange-service"
    assert place.stat().st_mode & 0o777 == 0o700
    assert 69_000 <= place.stat().st_uid < 70_000
    assert list(place.glob(f"objects/feedback/{submission}/*.tar.gz"))
    for user, groups in (("bob", {"nbgrader-dl101"}), ("iris", {"formgrade-dl101", "instructors-dl101"})):
        done = subprocess.run(
            [*room_of(hub, user, groups), "/bin/ls", str(place)], capture_output=True, text=True, check=False
        )
        assert "No such file" in done.stderr


def test_what_was_kept_long_enough_is_gone(hub: Hub, people: dict[str, Asker], members: dict[str, Member]) -> None:
    """While the hub runs: the files answer 410 with a sentence; the receipt stays, and so does what is newer."""
    ada, tom, place = people["ada"], people["tom"], hub.state / "exchange-service"
    old, new = (ada.submit(archive_of({"tiny.ipynb": text})).json()["receipt"] for text in (b"old", b"new"))
    pages = archive_of({"tiny.html": b"<p>well done</p>"})
    assert tom.ask("PUT", f"/submissions/{old}/feedback", data=pages).status_code == 200
    with closing(sqlite3.connect(place / "exchange.sqlite")) as records, records:
        records.execute("update submissions set received_at = '2020-02-03 12:00:00.000000' where id = ?", [old])
        records.execute("update feedback set released_at = '2020-02-04 12:00:00.000000' where submission = ?", [old])
    config = hub.state.parent / "retention"
    config.mkdir()
    (config / "exchange.toml").write_text("[service]\nkeep_days = 1000\n")
    done = run(config, "tensorgrade", "exchange-retire", str(config), str(place))
    assert done.stdout.splitlines()[-1] == "2 are removed", done.stderr
    for asker in (ada, tom):
        for what in ("files", "feedback"):
            answer = asker.ask("GET", f"/submissions/{old}/{what}")
            assert answer.status_code == HTTPStatus.GONE
            assert "removed on 20" in answer.json()["error"]
    receipt = ada.ask("GET", f"/submissions/{old}").json()
    assert (receipt["feedback"], receipt["retired"][:2], receipt["feedback_retired"][:2]) == (None, "20", "20")
    assert people["eve"].ask("GET", f"/submissions/{old}/files").status_code == 403
    page = members["ada"].get(f"/services/exchange/receipts/{old}").text
    assert "its files were removed then" in page
    assert "Download what was handed in" not in page
    assert members["ada"].get(f"/services/exchange/receipts/{old}/files").status_code == HTTPStatus.GONE
    assert members["ada"].get(f"/services/exchange/receipts/{old}/feedback/tiny").status_code == HTTPStatus.GONE
    assert ada.ask("GET", f"/submissions/{new}/files").content == archive_of({"tiny.ipynb": b"new"})
    assert [line["what"] for line in audit_of(hub) if line["event"] == "retired"] == ["submission", "feedback"]
    assert {file.stat().st_uid for file in place.rglob("*")} == {place.stat().st_uid}
    assert ada.submit(archive_of({"tiny.ipynb": b"newer"})).status_code == 201


def test_collect_leaves_out_what_is_gone(hub: Hub, people: dict[str, Asker], tmp_path: Path) -> None:
    """One student's files were retired: that is said, and everybody else's are collected."""
    mine, gone = (people[user].submit(archive_of({"tiny.ipynb": b"{}"})).json() for user in ("ada", "bob"))
    with closing(sqlite3.connect(hub.state / "exchange-service" / "exchange.sqlite")) as records, records:
        records.execute(
            "update submissions set retired_at = '2026-02-03 12:00:00.000000' where id = ?", [gone["receipt"]]
        )
    settings = hub.state.parent / "operator" / "hub_config" / "jupyter" / "all"
    environment = {"HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
                   "JUPYTER_CONFIG_PATH": str(settings),
                   "JUPYTERHUB_API_TOKEN": people["tom"].token,
                   "TENSORGRADE_EXCHANGE": f"{hub.address}/services/exchange"}  # fmt: skip
    done = run(tmp_path, "nbgrader", "collect", "tiny", "--course", "dl101", environment=environment)
    assert done.returncode == 0, done.stderr
    assert "Not there any more since 2026-02-03 12:00:00.000000 UTC: bob tiny" in done.stderr
    assert not (tmp_path / "submitted" / "bob").exists()
    assert (tmp_path / "submitted" / "ada" / "tiny" / "submission_receipt.txt").read_text() == mine["receipt"]


def room_of(hub: Hub, user: str, groups: set[str]) -> list[str]:
    """What stands before a command so that it runs in somebody's room."""
    config = hub.state.parent / "operator" / "hub_config"
    shared = MachineFolders(hub.state, TINY).shared(read_courses(config / "courses.toml"), groups)
    home = home_of(user, hub.state / "homes")
    return room_command(home, (config / "jupyter", *shared.readable), shared.writable, shared.groups)


# nbgrader's own commands one after the other: to load nbgrader for each would take most of the time.
COMMANDS = """
import json, sys
from nbgrader.apps.nbgraderapp import NbGraderApp
for command in json.loads(sys.argv[1]):
    print("COMMAND", command, file=sys.stderr, flush=True)
    try:
        NbGraderApp.launch_instance(command)
        status = 0
    except SystemExit as error:
        status = error.code or 0
    NbGraderApp.clear_instance()
    print("STATUS", status, file=sys.stderr, flush=True)
"""


def nbgrader(hub: Hub, asker: Asker, *commands: str, settings: str = "") -> list[tuple[int, str]]:
    """Run nbgrader in a student's terminal, with settings that the student has written.

    Returns:
        The exit status of each command, and what it said.
    """
    home, config = home_of(asker.user, hub.state / "homes"), hub.state.parent / "operator" / "hub_config" / "jupyter"
    if settings:
        (home / "nbgrader_config.py").write_text(settings)
    environment = {"HOME": str(home), "USER": asker.user, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
                   "JUPYTERHUB_USER": asker.user, "JUPYTERHUB_API_TOKEN": asker.token,
                   "TENSORGRADE_EXCHANGE": f"{hub.address}/services/exchange",
                   "JUPYTER_CONFIG_PATH": f"{config}/student:{config}/all"}  # fmt: skip
    words = json.dumps([command.split() for command in commands])
    program = [*room_of(hub, asker.user, {"nbgrader-dl101"}), sys.executable, "-c", COMMANDS, words]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    said = [part.rsplit("STATUS ", 1) for part in done.stderr.split("COMMAND ")[1:]]
    assert len(said) == len(commands), done.stderr
    return [(int(status), text) for text, status in said]


def test_nbgrader_in_a_students_terminal(hub: Hub, people: dict[str, Asker]) -> None:
    """List, fetch, submit, fetch feedback: nbgrader's own commands, and a receipt in a file."""
    bob, home = people["bob"], home_of("bob", hub.state / "homes")
    folder, fetch = home / "dl101" / "tiny", "fetch_assignment tiny --course dl101"
    (listed, fetched, twice) = nbgrader(hub, bob, "list", fetch, fetch)
    assert (listed[0], fetched[0], twice[0]) == (0, 0, 1)
    assert "dl101 tiny" in listed[1]
    assert "already have a copy" in twice[1]
    (folder / "tiny.ipynb").unlink()
    (folder / "mine.txt").write_text("by bob")
    (folder / "link").symlink_to("/etc/passwd")
    submit = "submit tiny --course dl101"
    (replaced, submitted, again) = nbgrader(hub, bob, f"{fetch} --replace", submit, submit)
    assert (replaced[0], submitted[0], again[0]) == (0, 0, 0)
    assert "Left out" in submitted[1]
    [kept] = (home / "receipts" / "dl101").glob("tiny-*.json")  # nothing has changed: the same receipt
    receipt = json.loads(kept.read_text())
    assert people["tom"].ask("GET", f"/submissions/{receipt['receipt']}").json() == receipt
    pages = archive_of({"tiny.html": b"<p>good</p>"})
    people["tom"].ask("PUT", f"/submissions/{receipt['receipt']}/feedback", data=pages)
    lists = ("list --cached", "fetch_feedback tiny --course dl101", "list --cached", "list --cached --remove")
    (ready, _, have, kept_all) = nbgrader(hub, bob, *lists)
    assert "feedback ready" in ready[1]
    assert (folder / "feedback" / receipt["received"] / "tiny.html").read_text() == "<p>good</p>"
    assert "already fetched" in have[1]
    assert kept_all[0] == 1
    assert "keeps every submission" in kept_all[1]


def test_a_students_own_settings_open_nothing(hub: Hub, people: dict[str, Asker]) -> None:
    """S4: who is not in the course and tells nbgrader to ask nobody is refused by the service all the same."""
    settings = (
        "c = get_config()\n"
        "c.Authenticator.plugin_class = 'nbgrader.auth.base.NoAuthPlugin'\n"
        "c.CourseDirectory.student_id = 'ada'\n"
    )
    eve = people["eve"]
    home = home_of("eve", hub.state / "homes")
    for folder in (home / "dl101", home / "dl101" / "small"):
        folder.mkdir()
        os.chown(folder, home.stat().st_uid, home.stat().st_gid)
    commands = ("fetch_assignment tiny --course dl101", "submit small --course dl101", "list --inbound --student ada")
    said = nbgrader(hub, eve, *commands, settings=settings)
    assert [status for status, _ in said] == [1, 1, 1]
    assert all("you are not in dl101" in text for _, text in said[:2])
    assert "somebody else's submissions" in said[2][1]
    assert audit_of(hub)[-1]["who"] == "eve"


def test_one_submission_stops_nobody_elses(hub: Hub, people: dict[str, Asker], tmp_path: Path) -> None:
    """What cannot be unpacked, or is not there any more, is named at the end; all others are collected."""
    place = "/courses/dl101/assignments/collected"
    assert people["iris"].ask("PUT", place, data=archive_of()).status_code == 200
    for user in ("ada", "bob"):
        assert people[user].submit(archive_of({"tiny.ipynb": user.encode()}), place).status_code == 201
    [kept] = (hub.state / "exchange-service" / "objects" / "submissions" / "dl101" / "collected" / "ada").iterdir()
    (tmp_path / "nbgrader_config.py").write_text(
        "c = get_config()\nc.CourseDirectory.course_id = 'dl101'\n"
        "c.ExchangeFactory.collect = 'tensorgrade.hub.exchange.for_staff.Collect'\n"
    )
    environment = {"HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
                   "JUPYTERHUB_API_TOKEN": people["tom"].token,
                   "TENSORGRADE_EXCHANGE": f"{hub.address}/services/exchange"}  # fmt: skip
    program = [str(Path(sys.executable).parent / "nbgrader"), "collect", "collected"]
    for damage in (lambda: kept.write_bytes(archive_of({"timestamp.txt/x": b""})), kept.unlink):
        damage()
        done = subprocess.run(program, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
        assert done.returncode == 1
        assert "Not collected: ada. The reasons are above" in done.stderr
        assert (tmp_path / "submitted" / "bob" / "collected" / "tiny.ipynb").read_text() == "bob"
        assert not (tmp_path / "submitted" / "ada" / "collected").exists()
        shutil.rmtree(tmp_path / "submitted")
    assert "does not find these files" in done.stderr  # the second damage


# What nbgrader's own exchange believes


def test_the_directory_exchange_believes_everybody(tmp_path: Path) -> None:
    """S1 to S3 on nbgrader's folders, which an operator may choose: a warning says so, and these tests could fail."""
    exchange, course, home = (tmp_path / name for name in ("exchange", "course", "home"))
    inbound = exchange / "dl101" / "inbound"
    for folder in (inbound, course / "source" / "tiny", home):
        folder.mkdir(parents=True)
    exchange.chmod(0o777)
    (course / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.CourseDirectory.course_id = 'dl101'\nc.Exchange.root = {str(exchange)!r}\n"
        "c.ExchangeCollect.check_owner = False\n"
    )
    forged = inbound / "ada+tiny+2099-01-01 00:00:00.000000 UTC+x"
    forged.mkdir()
    (forged / "timestamp.txt").write_text("2099-01-01 00:00:00.000000 UTC")
    (tmp_path / "gradebook").write_text("secret")
    (forged / "tiny.ipynb").symlink_to(tmp_path / "gradebook")
    environment = {"HOME": str(home), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    program = [str(Path(sys.executable).parent / "nbgrader"), "collect", "tiny"]
    done = subprocess.run(program, cwd=course, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    collected = course / "submitted" / "ada" / "tiny"
    assert (collected / "tiny.ipynb").read_text() == "secret"
    assert "2099" in (collected / "timestamp.txt").read_text()
    shutil.rmtree(tmp_path / "exchange")
