"""The nouns of a course, each with its place in the folders."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import sys
import tomllib
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from tensorgrade.errors import UsageError
from tensorgrade.limits import Limits

SECRET_BYTES = 32
SETTINGS = {"title", "teaches", "profile", "limits"}
# nbgrader's steps whose settings decide what stands in a notebook, and so what is graded.
DECIDING_STEPS = (
    *("IncludeHeaderFooter", "LockCells", "ClearSolutions", "ClearOutput", "CheckCellMetadata", "ClearHiddenTests"),
    *("ComputeChecksums", "ClearMarkScheme", "IgnorePattern"),
)


@dataclass(frozen=True)
class Award:
    """Why everybody gets the weight of a check.

    Attributes:
        reason: for staff and students.
        since: the day of the decision, as 2026-02-03.
    """

    reason: str
    since: str = ""


@dataclass(frozen=True)
class Assignment:
    """One assignment: its folders and the settings in its ``assignment.toml``.

    Raises:
        UsageError: a setting is unknown or has the wrong kind of value.
    """

    course: Course
    name: str

    @property
    def source(self) -> Path:
        """The folder of the instructor's notebooks."""
        return self.course.root / "source" / self.name

    @property
    def release(self) -> Path:
        """The folder of the student version."""
        return self.course.root / "release" / self.name

    @property
    def graders(self) -> Path:
        """The folder of the checks."""
        return self.course.root / "graders" / self.name

    @property
    def settings_file(self) -> Path:
        """The file that holds everything but the points."""
        return self.graders / "assignment.toml"

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The content of ``assignment.toml``; nothing for an assignment that is classic and has none."""
        if self.is_classic and not self.settings_file.exists():
            return {}
        try:
            settings = tomllib.loads(self.settings_file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{self.settings_file}: cannot be read: {error}") from error
        unknown = sorted(set(settings) - SETTINGS)
        if unknown:
            known = ", ".join(sorted(SETTINGS))
            raise UsageError(f"{self.settings_file}: unknown key {unknown[0]!r}. Known: {known}.")
        return settings

    @cached_property
    def limits(self) -> Limits:
        """The limits of this assignment's workers."""
        given = self.settings.get("limits", {})
        known = {field.name for field in fields(Limits)}
        if not isinstance(given, dict) or not set(given) <= known:
            names = ", ".join(sorted(known))
            raise UsageError(f"{self.settings_file}: [limits]: expected only {names}, got {given!r}")
        try:
            return Limits(**given)
        except UsageError as error:
            raise UsageError(f"{self.settings_file}: {error}") from error

    @property
    def awards_file(self) -> Path:
        """The record of the checks whose weight everybody gets."""
        return self.graders / "awarded.toml"

    @cached_property
    def awards(self) -> dict[str, Award]:
        """By name, the checks whose weight everybody gets."""
        if not self.awards_file.exists():
            return {}
        try:
            content = tomllib.loads(self.awards_file.read_text(encoding="utf-8"))
            return {name: Award(str(table["reason"]), str(table.get("since", ""))) for name, table in content.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{self.awards_file}: cannot be read: {type(error).__name__}: {error}") from error

    @property
    def calibration_file(self) -> Path:
        """The rules by which measured values decide checks, and what they were made from."""
        return self.graders / "calibration.toml"

    @property
    def grader_files(self) -> tuple[Path, ...]:
        """The pytest files of the grader, public checks first."""
        public = self.graders / "test_public.py"
        hidden = sorted(self.graders.glob("test_hidden*.py"))
        return (public, *hidden) if public.is_file() else tuple(hidden)

    @property
    def worker_files(self) -> tuple[Path, ...]:
        """The instructor's modules that checks load beside the student's code, by name."""
        return tuple(sorted((self.graders / "worker").glob("*.py")))

    @property
    def is_classic(self) -> bool:
        """Whether the tests stand in the notebooks, as in nbgrader without tensorgrade."""
        return not self.grader_files

    @property
    def source_notebooks(self) -> tuple[Path, ...]:
        """The instructor's notebooks, by name."""
        return tuple(sorted(self.source.glob("*.ipynb")))

    @property
    def files_of_students(self) -> frozenset[str]:
        """The files in ``source/`` that students may edit: nbgrader's ``c.Autograde.exclude_overwriting``."""
        excluded = self.course.nbgrader_config.Autograde.get("exclude_overwriting", {})
        return frozenset(excluded.get(self.name, ()))

    def sha256(self) -> str:
        """Content hash of all that decides a grade: the grader, the source notebooks, nbgrader's settings of both."""
        settings = f"{self.course.settings_of(DECIDING_STEPS)} {sorted(self.files_of_students)}"
        digest = hashlib.sha256(settings.encode())
        frame = self.course.nbgrader_config.IncludeHeaderFooter
        around = [self.course.root / str(frame[part]) for part in ("header", "footer") if part in frame]
        settled = (self.settings_file, self.awards_file, self.calibration_file)
        files = (*settled, *self.grader_files, *self.worker_files, *self.source_notebooks)
        for path in filter(Path.is_file, (*files, *around)):
            content = path.read_bytes()
            digest.update(f"{path.name}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()


@dataclass(frozen=True)
class Submission:
    """One student's files for one assignment."""

    assignment: Assignment
    student: str

    @property
    def folder(self) -> Path:
        """Where nbgrader's collect puts the files."""
        return self.assignment.course.root / "submitted" / self.student / self.assignment.name

    @property
    def autograded(self) -> Path:
        """Where the autograded notebooks and the staff report go."""
        return self.assignment.course.root / "autograded" / self.student / self.assignment.name

    @property
    def feedback(self) -> Path:
        """Where the student's feedback goes."""
        return self.assignment.course.root / "feedback" / self.student / self.assignment.name


@dataclass(frozen=True)
class Course:
    """An nbgrader course directory."""

    root: Path

    @classmethod
    def at(cls, folder: Path) -> Course:
        """The course in a folder.

        Raises:
            UsageError: the folder holds no ``nbgrader_config.py``.
        """
        root = folder.resolve()
        if not (root / "nbgrader_config.py").is_file():
            raise UsageError(
                f"{folder}: no nbgrader_config.py here. Run in a course directory or name one with --course."
            )
        return cls(root)

    def assignment(self, name: str) -> Assignment:
        """The assignment of that name.

        Raises:
            UsageError: it has no folder in ``source/``.
        """
        assignment = Assignment(self, name)
        if not assignment.source.is_dir() or name in ("", ".", "..") or "/" in name:
            known = ", ".join(self.assignment_names()) or "none"
            raise UsageError(f"assignment {name!r}: no folder source/{name}. Assignments here: {known}.")
        return assignment

    def start_nbgrader(self, log: logging.Logger | None = None) -> Any:
        """An nbgrader application with the settings of this course, whatever folder the command runs in.

        Raises:
            UsageError: ``nbgrader_config.py`` cannot be run.
        """
        from nbgrader.apps.baseapp import NbGrader  # not above: this takes a second

        app = NbGrader(log=log or _silent_log())
        app.load_cwd_config = False
        app.raise_config_file_errors = True  # else nbgrader goes on with the settings that it has read so far
        path = list(sys.path)
        try:
            app.initialize([], root=str(self.root))
        except (Exception, SystemExit) as error:  # nbgrader exits where a setting has the wrong type
            raise UsageError(f"nbgrader_config.py: cannot be used: {type(error).__name__}: {error}") from error
        finally:
            sys.path[:] = path  # nbgrader puts the working directory first, and a student may have written there
        self._require_own_folders(app.coursedir)
        return app

    def _require_own_folders(self, coursedir: Any) -> None:
        """Refuse folders by other names: nbgrader would read and write elsewhere than we do."""
        if Path(coursedir.root).resolve() != self.root:
            raise UsageError(
                f"nbgrader_config.py: c.CourseDirectory.root is {coursedir.root!r}, but the course is in {self.root}"
            )
        usual = {f"{step}_directory": step for step in ("source", "release", "submitted", "autograded", "feedback")}
        usual["directory_structure"] = str(Path("{nbgrader_step}", "{student_id}", "{assignment_id}"))
        for name, expected in usual.items():
            if getattr(coursedir, name) != expected:
                raise UsageError(
                    f"nbgrader_config.py: c.CourseDirectory.{name}: expected {expected!r}, got "
                    f"{getattr(coursedir, name)!r}. tensorgrade knows nbgrader's usual folders only."
                )

    @cached_property
    def nbgrader_config(self) -> Any:
        """The settings in ``nbgrader_config.py``, as nbgrader reads them."""
        return self.start_nbgrader().config

    def settings_of(self, classes: tuple[str, ...]) -> str:
        """What ``nbgrader_config.py`` sets of some of nbgrader's classes, as a text to compare."""
        sections = {name: self.nbgrader_config.get(name, {}) for name in classes}
        return repr([(name, sorted(section.items())) for name, section in sections.items() if section])

    def assignment_names(self) -> tuple[str, ...]:
        """The names of the folders in ``source/``."""
        source = self.root / "source"
        return tuple(sorted(f.name for f in source.iterdir() if f.is_dir())) if source.is_dir() else ()

    def secret(self) -> bytes:
        """The key that every check's seed is derived from; made once, readable by its owner only.

        The same secret gives the same inputs on every run and machine. To set a new one, delete the
        file; to grade on another machine, copy it.
        """
        path = self.root / ".tensorgrade" / "secret"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            new = path.with_name(f"secret.{os.getpid()}")
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(secrets.token_hex(SECRET_BYTES) + "\n")
            with suppress(FileExistsError):  # another process was first
                os.link(new, path)  # whole or not at all, also on a full disk
            new.unlink()
        return _read_secret(path)

    def submissions(self, assignment: Assignment) -> tuple[Submission, ...]:
        """The collected submissions of an assignment, by student."""
        folders = (self.root / "submitted").glob(f"*/{assignment.name}")
        return tuple(Submission(assignment, f.parent.name) for f in sorted(folders) if f.is_dir())


def _silent_log() -> logging.Logger:
    log = logging.getLogger(f"{__name__}.nbgrader")
    log.propagate = False
    log.addHandler(logging.NullHandler())
    return log


def _read_secret(path: Path) -> bytes:
    try:
        secret = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as a course secret: {error}") from error
    if len(secret) != SECRET_BYTES:
        raise UsageError(f"{path}: expected {SECRET_BYTES} bytes in hexadecimal, got {len(secret)}")
    return secret
