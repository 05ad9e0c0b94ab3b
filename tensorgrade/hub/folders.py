"""The folders that several people of one machine share: course directories, and nbgrader's exchange.

The second only where ``exchange.toml`` says so: usually the exchange is a service, and nobody shares its folder.
A course's files belong to an account of the course, under which its grading page runs, and to the
course's group, which the rooms of its staff have. Students' rooms have at most their courses' part of the
exchange, and nothing else of a course.
"""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tensorgrade.course import Course
from tensorgrade.errors import UsageError
from tensorgrade.hub.courses import HubCourse

FIRST_UID, LAST_UID = 69_000, 69_999  # below those of people, see `room`
CONFIG = '''"""Read by every nbgrader command in this course."""

from tensorgrade.gradebook import configure

c = get_config()  # noqa: F821  # traitlets puts it here
c.CourseDirectory.course_id = "{name}"
configure(c)
'''
# nbgrader's own modes for them (its release_assignment.py), group-writable for the course's staff; and sticky, so
# that who has handed something in cannot take away what others have.
EXCHANGE_MODES = {"outbound": 0o2775, "inbound": 0o3773, "feedback": 0o2771}


@dataclass(frozen=True)
class Shared:
    """What one person's room has beside the home.

    Attributes:
        readable: folders to read.
        writable: folders to change.
        groups: gids that open them.
        links: by name, what the person finds in the home as a link.
    """

    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    groups: tuple[int, ...] = ()
    links: tuple[tuple[str, Path], ...] = ()

    def link_from(self, home: Path) -> None:
        """Let a home show the folders; what the person has put in a link's place stays."""
        for name, folder in self.links:
            with suppress(FileExistsError):
                (home / name).symlink_to(folder)


@dataclass(frozen=True)
class MachineFolders:
    """Where the courses of one machine keep their files.

    Attributes:
        state: the folder of the hub's state.
        start_from: a course directory whose assignments a new course begins with; any other folder is no matter.
        directory_exchange: whether people share nbgrader's exchange; else the hub has a service for it.
    """

    state: Path
    start_from: Path
    directory_exchange: bool = False

    @property
    def exchange(self) -> Path:
        """The root of nbgrader's exchange."""
        return self.state / "exchange"

    @property
    def service(self) -> Path:
        """The home of the account under which the exchange runs, if it is a service: all that was handed in."""
        return self.state / "exchange-service"

    def course(self, course: HubCourse) -> Path:
        """The course directory; a relative one lies below the state."""
        return self.state / course.folder

    def account(self, course: HubCourse) -> Path:
        """The home of the course's own account."""
        return self.state / "grading" / course.name

    def prepare(self, course: HubCourse) -> None:
        """Make what is missing.

        Raises:
            UsageError: the course directory belongs to root, or no uid is left.
        """
        folder, account = self.course(course), self.account(course)
        account.parent.mkdir(mode=0o700, exist_ok=True)
        if not folder.exists():
            self._make_course(course, folder)
        owner = folder.stat()
        if os.geteuid() == 0 and owner.st_uid == 0:
            raise UsageError(f"{folder}: belongs to root. Give it an account of its own: chown -R 69000:69000 {folder}")
        account.mkdir(mode=0o700, exist_ok=True)
        os.chown(account, owner.st_uid, owner.st_gid)
        if self.directory_exchange:
            self._prepare_exchange(course, owner)

    def _prepare_exchange(self, course: HubCourse, owner: os.stat_result) -> None:
        """The course's part of nbgrader's exchange."""
        place = self.exchange / course.name
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o755)  # reached only by the rooms that have it: the folder above is closed
        for name, mode in EXCHANGE_MODES.items():
            part = place / name
            part.mkdir(exist_ok=True)
            os.chown(part, owner.st_uid, owner.st_gid)
            part.chmod(mode)

    def prepare_service(self, settings: Collection[Path]) -> Path:
        """The home of the exchange's account, with copies of the settings, which that account could not read elsewhere.

        Returns:
            The folder of the copies.
        """
        home, config = self.service, self.service / "config"
        if not home.exists():
            uid = self._next_uid()
            home.mkdir(mode=0o700)
            os.chown(home, uid, uid if os.geteuid() == 0 else -1)
        owner = home.stat()
        shutil.rmtree(config, ignore_errors=True)
        config.mkdir(mode=0o700)
        for file in (config, *(shutil.copy(file, config / file.name) for file in settings if file.exists())):
            os.chown(file, owner.st_uid, owner.st_gid)
        return config

    def shared(self, courses: Collection[HubCourse], groups: Collection[str]) -> Shared:
        """What the rooms of these groups' members share."""
        readable: list[Path] = []
        writable: list[Path] = []
        staffed = [course for course in courses if course.staff_group in groups]
        for course in courses:
            place = [self.exchange / course.name] if self.directory_exchange else []
            if course.instructor_group in groups:
                writable += [self.course(course), *place]
            elif course.staff_group in groups:
                readable.append(self.course(course))
            elif course.student_group in groups:
                writable += place
        gids = {self.course(course).stat().st_gid for course in staffed} - {0}  # never root's
        links = tuple((link_name(course), self.course(course)) for course in staffed)
        return Shared(tuple(readable), tuple(writable), tuple(sorted(gids)), links)

    def _make_course(self, course: HubCourse, folder: Path) -> None:
        """A new course directory, with the assignments that lie beside the hub's settings."""
        folder.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        new = folder.with_name(f".{folder.name}.new")
        shutil.rmtree(new, ignore_errors=True)  # of a start that was interrupted
        new.mkdir()
        (new / "nbgrader_config.py").write_text(CONFIG.format(name=course.name), encoding="utf-8")
        if (self.start_from / "nbgrader_config.py").is_file():
            for old in filter(Path.is_dir, (self.start_from / name for name in ("source", "graders"))):
                shutil.copytree(old, new / old.name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("source", "graders", "release", "submitted", "autograded", "feedback", ".tensorgrade"):
            (new / name).mkdir(exist_ok=True)
        Course(new).secret()  # now, so that the course's group may read it
        _give(new, self._next_uid())
        new.rename(folder)  # whole or not at all

    def _next_uid(self) -> int:
        """A uid that no course has yet; without root's power there is only one's own."""
        if os.geteuid() != 0:
            return os.geteuid()
        homes = [*(self.state / "grading").iterdir(), *([self.service] if self.service.exists() else [])]
        taken = {folder.stat().st_uid for folder in homes}
        taken |= {account.pw_uid for account in pwd.getpwall()}
        uid = next((uid for uid in range(FIRST_UID, LAST_UID + 1) if uid not in taken), None)
        if uid is None:
            raise UsageError(f"{self.state}: the uids from {FIRST_UID} to {LAST_UID} are used up")
        return uid


def link_name(course: HubCourse) -> str:
    """What staff find the course directory under, in JupyterLab."""
    return f"course-{course.name}"


def _give(root: Path, uid: int) -> None:
    """Hand a new folder to an account: its group may change everything, others may see nothing."""
    for path in (root, *root.rglob("*")):
        if os.geteuid() == 0:
            os.chown(path, uid, uid)
        path.chmod(0o2770 if path.is_dir() else 0o660)
