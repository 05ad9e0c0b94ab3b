"""Makes bytes of an assignment and of a submission, and folders of the bytes."""

from __future__ import annotations

import ast
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tensorgrade.course import Assignment
from tensorgrade.errors import NotebookError, PlatformError
from tensorgrade.grading.files import require_regular_files
from tensorgrade.grading.records import CheckRecord

MAX_ENTRIES = 5000
NOT_SENT = {"mutants", "variants", "__pycache__"}
# Where results and students' files are: a setting may name them, a grader does not read them.
RUN_TIME = {"submitted", "autograded", "feedback", "release", "gradebook.db"}


@dataclass(frozen=True)
class Bundle:
    """Everything of a course that decides the grades of one assignment.

    Attributes:
        assignment: its name.
        root: the course directory on the coordinator's machine, for the reports.
        files: by path in the course directory, their content; a folder's path ends with a slash.
        links: by path in the course directory, where they lead; they are not followed.
        reference: how the reference solution did, so that nobody runs it again; None if it is to be run.
    """

    assignment: str
    root: str
    files: dict[str, bytes] = field(repr=False)  # the course secret is one of them
    links: dict[str, str]
    reference: tuple[CheckRecord, ...] | None = field(repr=False)

    @cached_property
    def sha256(self) -> str:
        """The content hash; an executor that has unpacked this content does not need it again."""
        digest = hashlib.sha256()
        verdicts = [(record.name, record.status.value) for record in self.reference or ()]
        for part in (self.assignment, self.root, *sorted(self.links.items()), *verdicts):
            digest.update(f"{part!r}\0".encode())
        for name, content in sorted(self.files.items()):
            digest.update(f"{name!r}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()


def pack_assignment(assignment: Assignment, reference: tuple[CheckRecord, ...] | None) -> Bundle:
    """Read all that a grader reads: its folder, the sources with their data, the settings, the secret."""
    root = assignment.course.root
    files: dict[str, bytes] = {}
    links: dict[str, str] = {}
    for path in _tree(assignment.graders):
        if path.is_file():  # a link too: a large file of labels, say
            files[_name(path, root)] = path.read_bytes()
    for path in _tree(assignment.source):
        if path.is_symlink():
            links[_name(path, root)] = str(path.readlink())
        elif path.is_file():
            files[_name(path, root)] = path.read_bytes()
    for path in (root / "nbgrader_config.py", *_named_in(root / "nbgrader_config.py")):
        files[_name(path, root)] = path.read_bytes()
    files[".tensorgrade/secret"] = assignment.course.secret().hex().encode()
    return Bundle(assignment.name, str(root), files, links, reference)


def pack_submission(folder: Path, limit_bytes: int) -> dict[str, bytes] | None:
    """By relative path, all that a submission holds; a folder's path ends with a slash.

    None where it cannot be sent as it is: it holds something other than folders and regular files,
    a file that cannot be read, too many bytes or too many files. Nothing of that size is read.
    """
    files: dict[str, bytes] = {}
    try:
        require_regular_files(folder)
        for parent, folders, names in os.walk(folder):
            for name in folders:
                files[f"{_name(Path(parent, name), folder)}/"] = b""
            for name in names:
                content = _read_at_most(Path(parent, name), limit_bytes)
                limit_bytes -= len(content)
                files[_name(Path(parent, name), folder)] = content
            if len(files) > MAX_ENTRIES:
                return None
    except (OSError, NotebookError):
        return None
    return files


def unpack(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files into a folder, which is made.

    Raises:
        PlatformError: a name leads out of the folder.
    """
    for name, content in {"./": b"", **files}.items():
        place = inside(folder, name)
        if name.endswith("/"):
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)


def inside(folder: Path, name: str) -> Path:
    """A place below a folder.

    Raises:
        PlatformError: the name leads out of it.
    """
    if name.startswith("/") or ".." in Path(name).parts:
        raise PlatformError(f"{name!r}: expected a name inside the course")
    return folder / name


def _tree(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, followlinks=False):
        for name in [*folders, *names]:
            path = Path(parent, name)
            if name not in folders or path.is_symlink():
                yield path
        folders[:] = [name for name in folders if name not in NOT_SENT]


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _named_in(settings: Path) -> Iterable[Path]:
    """The files of the course that the settings name in a string, such as a header for every notebook."""
    root = settings.parent
    try:
        words = {node.value for node in ast.walk(ast.parse(settings.read_bytes())) if isinstance(node, ast.Constant)}
    except (SyntaxError, ValueError):
        return []
    texts = sorted(word for word in words if isinstance(word, str) and word and "\0" not in word and len(word) < 256)
    paths = dict.fromkeys(Path(os.path.normpath(root / text)) for text in texts)
    return [
        path
        for path in paths
        if root in path.parents and path.relative_to(root).parts[0] not in RUN_TIME and path.is_file()
    ]


def _read_at_most(path: Path, limit_bytes: int) -> bytes:
    """The content of a regular file, opened without following or waiting.

    Raises:
        OSError: it cannot be read, or is too large.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit_bytes:
            raise OSError(f"{path}: not to be sent")
        return file.read(limit_bytes)
