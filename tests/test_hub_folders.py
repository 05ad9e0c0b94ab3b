"""What the rooms of one machine share: a course's directory for its staff, at most nbgrader's exchange for others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tensorgrade.course import Course
from tensorgrade.errors import UsageError
from tensorgrade.hub.courses import HubCourse
from tensorgrade.hub.folders import MachineFolders
from tensorgrade.hub.room import home_of, room_command
from tests.running_hub import TINY

DEEP = HubCourse("dl101", "Deep learning", "courses/dl101", ("iris",), ("tom",), ("ada",))
OTHER = HubCourse("ml1", "Machine learning", "courses/ml1", ("ivo",), (), ("ada", "eve"))
COURSES = (DEEP, OTHER)
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give people and courses accounts")


@pytest.fixture
def folders(tmp_path: Path) -> MachineFolders:
    """Two courses, made with the assignment of the tiny one."""
    state = tmp_path / "state"
    for folder in (state, state / "homes"):
        folder.mkdir(mode=0o700)
    made = MachineFolders(state, TINY, directory_exchange=True)
    for course in COURSES:
        made.prepare(course)
    return made


def run_in_room(folders: MachineFolders, user: str, groups: set[str], code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code where the server of a member of these groups would run."""
    home = home_of(user, folders.state / "homes")
    shared = folders.shared(COURSES, groups)
    shared.link_from(home)
    room = room_command(home, shared.readable, shared.writable, shared.groups)
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [*room, sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_a_new_course_can_be_used(folders: MachineFolders) -> None:
    """A course that was missing has settings with its name, the assignments, a secret, and no file open to others."""
    course = Course.at(folders.course(DEEP))
    assert course.assignment_names() == ("tiny",)
    assert course.nbgrader_config.CourseDirectory.course_id == "dl101"
    assert course.secret()
    assert not [path for path in course.root.rglob("*") if path.stat().st_mode & 0o007]


def test_what_is_there_stays(folders: MachineFolders) -> None:
    """The next start changes nothing in a course."""
    note = folders.course(DEEP) / "source" / "tiny" / "note.txt"
    note.write_text("kept")
    folders.prepare(DEEP)
    assert note.read_text() == "kept"


@AS_ROOT
def test_courses_have_accounts_of_their_own(folders: MachineFolders, tmp_path: Path) -> None:
    """Two courses have different owners; a course of root's is refused."""
    owners = {folders.course(course).stat().st_uid for course in COURSES}
    assert len(owners) == 2
    assert all(69_000 <= owner < 70_000 for owner in owners)
    (tmp_path / "roots").mkdir()
    with pytest.raises(UsageError, match=r"belongs to root\. Give it an account of its own"):
        folders.prepare(HubCourse("mine", "Mine", str(tmp_path / "roots"), ("iris",)))


WRITE = "from pathlib import Path; Path({path!r}).write_text('x'); print('written')"
READ = "from pathlib import Path; print(Path({path!r}).read_text()[:9])"


@AS_ROOT
@pytest.mark.parametrize(
    ("user", "groups", "source", "grader", "note"),
    [
        ("iris", {"formgrade-dl101", "instructors-dl101"}, "written", "import py", "written"),
        ("tom", {"formgrade-dl101"}, "Read-only file system", "import py", "No such file"),
        ("ada", {"nbgrader-dl101", "nbgrader-ml1"}, "No such file", "No such file", "written"),
        ("eve", {"nbgrader-ml1"}, "No such file", "No such file", "No such file"),
        ("ivo", {"formgrade-ml1", "instructors-ml1"}, "No such file", "No such file", "No such file"),
    ],
)
def test_rooms_share_what_their_groups_need(
    folders: MachineFolders, user: str, groups: set[str], source: str, grader: str, note: str
) -> None:
    """Instructors change their course, TAs read it, students reach the exchange of their courses, others nothing."""
    course, inbound = folders.course(DEEP), folders.exchange / "dl101" / "inbound"
    cases = (
        (WRITE.format(path=str(course / "source" / "tiny" / f"{user}.txt")), source),
        (READ.format(path=str(course / "graders" / "tiny" / "test_hidden.py")), grader),
        (WRITE.format(path=str(inbound / user)), note),
    )
    for code, expected in cases:
        done = run_in_room(folders, user, groups, code)
        assert expected in done.stdout + done.stderr


@AS_ROOT
def test_what_instructors_write_is_for_the_course(folders: MachineFolders) -> None:
    """A file that an instructor makes belongs to the course's group, which may change it; others see nothing of it."""
    path = folders.course(DEEP) / "source" / "tiny" / "new.txt"
    done = run_in_room(folders, "iris", {"formgrade-dl101", "instructors-dl101"}, WRITE.format(path=str(path)))
    assert "written" in done.stdout, done.stderr
    assert path.stat().st_gid == folders.course(DEEP).stat().st_gid
    assert path.stat().st_mode & 0o777 == 0o660


@AS_ROOT
def test_students_do_not_list_the_exchange(folders: MachineFolders) -> None:
    """Who hands in sees no name of another submission, and cannot take one away whose name is known."""
    inbound = folders.exchange / "dl101" / "inbound"
    groups = {"nbgrader-dl101"}
    assert "written" in run_in_room(folders, "ada", groups, WRITE.format(path=str(inbound / "hers"))).stdout
    listed = run_in_room(folders, "bob", groups, f"import os; os.listdir({str(inbound)!r})")
    assert "Permission denied" in listed.stderr
    taken = run_in_room(folders, "bob", groups, f"import os; os.unlink({str(inbound / 'hers')!r})")
    assert "Operation not permitted" in taken.stderr


def test_with_the_service_rooms_share_no_exchange(folders: MachineFolders) -> None:
    """Usually the exchange is a service: no folder of it is in any room, and its settings are copied to its account."""
    usual = MachineFolders(folders.state, TINY)
    for groups in ({"nbgrader-dl101"}, {"formgrade-dl101", "instructors-dl101"}):
        shared = usual.shared(COURSES, groups)
        assert not [path for path in (*shared.readable, *shared.writable) if path.is_relative_to(usual.exchange)]
    settings = folders.state / "courses.toml"
    settings.write_text("x")
    for text in ("one", "two"):
        settings.write_text(text)
        config = usual.prepare_service([settings, folders.state / "missing.toml"])
        assert [(file.name, file.read_text()) for file in config.iterdir()] == [("courses.toml", text)]
    owner = usual.service.stat()
    assert owner.st_mode & 0o777 == 0o700
    assert (config / "courses.toml").stat().st_uid == owner.st_uid
    if os.geteuid() == 0:
        assert owner.st_uid not in {0, *(folders.course(course).stat().st_uid for course in COURSES)}


def test_the_sandbox_starts_in_a_room(folders: MachineFolders) -> None:
    """Staff can run a submission in the sandbox from their room, as the grading page does."""
    code = "from tensorgrade.sandbox.template import Template; from tensorgrade.limits import Limits\n"
    code += "with Template() as template: template.fork(Limits()).close(); print('forked')"
    done = run_in_room(folders, "tom", {"formgrade-dl101"}, code)
    assert "forked" in done.stdout, done.stderr


def test_a_home_keeps_what_has_the_links_name(folders: MachineFolders) -> None:
    """Staff find the course in their home; a file of that name which they have made stays."""
    home = home_of("iris", folders.state / "homes")
    shared = folders.shared(COURSES, {"formgrade-dl101", "instructors-dl101"})
    shared.link_from(home)
    assert (home / "course-dl101").resolve() == folders.course(DEEP)
    (home / "course-dl101").unlink()
    (home / "course-dl101").write_text("mine")
    shared.link_from(home)
    assert (home / "course-dl101").read_text() == "mine"
