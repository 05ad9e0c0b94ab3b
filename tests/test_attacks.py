"""The corpus: numbered attacks that gain nothing and learn nothing, honest work in odd styles that keeps every point.

One run of the command grades all of them as one class, an honest submission after every third attack.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tensorgrade.notebooks import CellEdits, read_edits
from tests.attacks import made
from tests.corpus import TESTS, Case, Graded, digests, grade_class, read_corpus

VAULT = TESTS / "courses" / "vault"
ATTACKS = {case.name: case for case in read_corpus(TESTS / "attacks")}
ON_ATTENTION = {case.name: case for case in read_corpus(TESTS / "attacks" / "attention")}
HONEST = {case.name: case for case in read_corpus(TESTS / "honest")}
BASE = read_edits(TESTS / "honest" / "base.py")
PLAIN = Case("plain", CellEdits("The plain solutions, handed in again and again between the others.", {}))
FULL = {"double": 4.0, "softmax": 4.0, "spell": 2.0, "predict": 4.0, "scale": 3.0}
WRITTEN_BY_GRADE = (".tensorgrade/", "autograded/", "feedback/", "gradebook.db")


def seats() -> dict[str, Case]:
    """By student, in their order, attacks with honest submissions between them; `plain` ones are all alike."""
    between = itertools.chain(HONEST.values(), itertools.repeat(PLAIN))
    found: dict[str, Case] = {}
    for case in ATTACKS.values():
        for _ in range(int(case.header("times") or 1)):
            found[f"{len(found):03}-{case.name}"] = case
            if len(found) % 4 == 3:
                honest = next(between)
                found[f"{len(found):03}-{honest.name}"] = honest
    return found


SEATS = seats()


def students_of(case: Case) -> list[str]:
    """Who has handed it in."""
    return [student for student, one in SEATS.items() if one is case]


@contextmanager
def listeners() -> Iterator[tuple[int, list[bytes]]]:
    """Listens where attacks call: a port, a socket in a file, an abstract one; the list has what was heard."""
    heard: list[bytes] = []
    tcp, abstract, file = (socket.socket(kind) for kind in (socket.AF_INET, socket.AF_UNIX, socket.AF_UNIX))
    path = Path("/tmp/tensorgrade-listens")
    path.unlink(missing_ok=True)
    with tcp, abstract, file:
        for one, address in ((tcp, ("127.0.0.1", 0)), (abstract, "\0tensorgrade-listens"), (file, str(path))):
            one.bind(address)
            one.listen()
            one.setblocking(False)
        path.chmod(0o777)
        yield tcp.getsockname()[1], heard
        for one in (tcp, abstract, file):
            with suppress(BlockingIOError):
                one.accept()[0].close()
                heard.append(str(one).encode())
    path.unlink()


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graded]:
    """The class after one run."""
    folder = tmp_path_factory.mktemp("class")
    cases = {student: case.edits for student, case in SEATS.items()}
    with listeners() as (port, heard):

        def make(student: str, place: Path) -> None:
            made.remake(SEATS[student].header("made by"), place, port)

        yield grade_class(VAULT, folder, cases, BASE, marked=frozenset(cases), make=make)
    assert heard == []


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_gains_nothing(graded: Graded, name: str) -> None:
    """The attacked task earns what the attack's head says, 0 but for honest parts, and nobody can read a secret."""
    case = ATTACKS[name]
    assert case.expect or case.status != "graded"
    for student in students_of(case):
        assert graded.records[student]["status"] == case.status, graded.records[student].get("error")
        points = graded.points(student)
        assert {task: points.get(task) for task in case.expect} == case.expect
        assert_words(graded, case, student)
        assert_no_secret(graded, student)


def assert_words(graded: Graded, case: Case, student: str) -> None:
    """What has to stand, or must not stand, in what is shown: that the attack was tried, that staff are told."""
    for header, step, is_there in (
        ("says", "autograded", True),
        ("never", "autograded", False),
        ("staff", "autograded", True),
        ("untold", "feedback", False),
    ):
        if words := case.header(header):
            texts = [text for place, text in graded.readable(student).items() if place.startswith(step)]
            assert texts
            assert any(words in text for text in texts) == is_there, f"{header}: {words}"


def assert_no_secret(graded: Graded, student: str) -> None:
    """No planted secret, and no text of another submission, stands in anything that can be read of this one."""
    for place, text in graded.readable(student).items():
        secrets = dict(graded.secrets)
        if place.endswith(("staff-report.html", "staff-report.json")):
            del secrets["input"]  # the message of an exception is for staff
        assert [kind for kind, secret in secrets.items() if secret in text] == [], place
        assert [other for other, mark in graded.others.items() if mark in text and other != student] == [], place


@pytest.mark.parametrize("name", HONEST)
def test_honest_work_keeps_every_point(graded: Graded, name: str) -> None:
    """A correct submission in an odd style, between two attacks, has full points."""
    [student] = students_of(HONEST[name])
    assert graded.records[student]["status"] == "graded"
    assert graded.points(student) == FULL, graded.records[student]["checks"]


def test_neighbours_are_not_affected(graded: Graded) -> None:
    """The same honest notebook has the same points, verdicts and outputs wherever it stands in the class."""
    seen = set()
    assert len(students_of(PLAIN)) >= 5
    for student in students_of(PLAIN):
        assert graded.points(student) == FULL
        text = (graded.course / "autograded" / student / "vault" / "vault.ipynb").read_text()
        seen.add(text.replace(graded.others[student], "").replace(student, ""))
    assert len(seen) == 1


def test_no_message_carries_a_secret(graded: Graded) -> None:
    """No label, expected value, token or hidden test is sent to a worker, none comes back, and no other's text."""
    count = 0
    for sent, received in graded.conversations():
        count += 1
        for kind in ("label", "expected", "token"):
            assert graded.secrets[kind].encode() not in sent + received
        assert (graded.secrets["solution"].encode() in received) <= (graded.secrets["solution"].encode() in sent)
        for mark in graded.others.values():
            assert (mark.encode() in received) <= (mark.encode() in sent)
    assert count >= len(SEATS)


def test_no_process_is_left(graded: Graded) -> None:
    """Whatever the attacks have started has ended with the command."""
    assert graded.left_processes == []


def test_nothing_is_written_elsewhere(graded: Graded) -> None:
    """Sources, graders, settings and submissions are as they were; what is new, grading has written."""
    after = digests(graded.course)
    assert {name: after.get(name) for name in graded.before} == graded.before
    assert [name for name in after.keys() - graded.before.keys() if not name.startswith(WRITTEN_BY_GRADE)] == []
    for folder in map(Path, ("/tmp", "/dev/shm", "/var/tmp", os.environ.get("HOME", "/root"))):
        assert [path for path in folder.glob("*") if path.name.startswith(made.LITTER)] == []


def test_the_command_says_what_it_could_not_grade(graded: Graded) -> None:
    """One line for each submission that cannot be read, no traceback, and exit code 1 because of them."""
    unreadable = [student for student, case in SEATS.items() if case.status != "graded"]
    said = [line for line in graded.done.stderr.splitlines() if line.startswith("tensorgrade:")]
    assert [line.split("/")[0] for line in said] == [f"tensorgrade: submission {student}" for student in unreadable]
    assert "Traceback" not in graded.done.stderr
    assert graded.done.returncode == 1


@pytest.fixture(scope="module")
def attention(tmp_path_factory: pytest.TempPathFactory) -> Graded:
    """A class that attacks the assignment `attention`; of its other tasks two are solved."""
    template = tmp_path_factory.mktemp("template") / "attention"
    for room in ("source", "graders"):
        shutil.copytree(TESTS.parent / room / "attention", template / room / "attention")
    shutil.copy(TESTS.parent / "nbgrader_config.py", template)
    base = read_edits(TESTS.parent / "demo" / "submissions" / "chloe.py")
    cases = {name: case.edits for name, case in ON_ATTENTION.items()}
    return grade_class(template, tmp_path_factory.mktemp("attention"), cases, base)


@pytest.mark.proof
@pytest.mark.parametrize("name", ON_ATTENTION)
def test_attack_on_attention_gains_nothing(attention: Graded, name: str) -> None:
    """A real assignment is attacked as the small one is."""
    points = attention.points(name)
    assert {task: points[task] for task in ON_ATTENTION[name].expect} == ON_ATTENTION[name].expect
    assert attention.secrets["token"] not in "".join(attention.readable(name).values())
    assert attention.left_processes == []


def test_the_corpus_is_large_enough() -> None:
    """Every group of attacks is there; each submission says in one sentence what it does."""
    groups = {letter: sum(name.startswith(letter) for name in ATTACKS) for letter in "abcdefg"}
    assert sum(groups.values()) - groups["g"] >= 70, groups
    assert groups["g"] >= 8
    assert min(groups.values()) >= 6, groups
    assert len(HONEST) >= 25
    assert len(ON_ATTENTION) >= 5
    assert all(case.edits.summary.endswith(".") for case in [*ATTACKS.values(), *HONEST.values()])
