"""The nouns of a course, each with its place in the folders."""

from __future__ import annotations

import hashlib
import os
import secrets
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
        """The content of ``assignment.toml``."""
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
    def grader_files(self) -> tuple[Path, ...]:
        """The pytest files of the grader, public checks first."""
        names = ("test_public.py", "test_hidden.py")
        return tuple(self.graders / name for name in names if (self.graders / name).is_file())

    @property
    def source_notebooks(self) -> tuple[Path, ...]:
        """The instructor's notebooks, by name."""
        return tuple(sorted(self.source.glob("*.ipynb")))

    def sha256(self) -> str:
        """Content hash of all that decides a grade: the grader and the source notebooks."""
        digest = hashlib.sha256()
        for path in (self.settings_file, *self.grader_files, *self.source_notebooks):
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
            UsageError: it has no folder in ``source/`` or none in ``graders/``.
        """
        assignment = Assignment(self, name)
        for folder in (assignment.source, assignment.graders):
            if not folder.is_dir() or name in ("", ".", "..") or "/" in name:
                known = ", ".join(self.assignment_names()) or "none"
                raise UsageError(
                    f"assignment {name!r}: no folder {folder.parent.name}/{name}. Assignments here: {known}."
                )
        return assignment

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


def _read_secret(path: Path) -> bytes:
    try:
        secret = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as a course secret: {error}") from error
    if len(secret) != SECRET_BYTES:
        raise UsageError(f"{path}: expected {SECRET_BYTES} bytes in hexadecimal, got {len(secret)}")
    return secret
