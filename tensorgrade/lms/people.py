"""The list of a course's students, one file for the hub and the gradebook."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import tempfile
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tensorgrade.errors import StorageError, UsageError

USER = re.compile(r"[a-z0-9][a-z0-9_.@+-]{0,63}")  # what a URL and a folder can hold, in JupyterHub's lower case
LAUNCHED = "lti-"
LETTERS = 20  # of a hash: 80 bits, so that no two people share a name by chance
BREAKING = ("Cc", "Cs", "Zl", "Zp")  # control characters, halves of pairs, line breaks; names may have joiners
LONGEST = 128  # characters; a column of nbgrader's database


@dataclass(frozen=True)
class Person:
    """A student as the LMS knows them.

    Attributes:
        user: the name on the hub and in the gradebook.
        email: as the LMS writes it; Moodle tells capitals from small letters.
        first_name: given name.
        last_name: family name.
        id_number: the university's number of the student; Moodle's idnumber, Canvas's SIS user ID.
        lms_user_id: what LTI calls the person (``sub``); grades are sent to it.
    """

    user: str
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    id_number: str = ""
    lms_user_id: str = ""


def checked(person: Person) -> Person:
    """The same person, if they can have an account and a folder.

    Raises:
        ValueError: with one sentence on it.
    """
    if not USER.fullmatch(person.user):
        raise ValueError(f"user {person.user!r}: expected small letters, digits and _ . @ + -")
    for name, text in asdict(person).items():
        if len(text) > LONGEST or any(unicodedata.category(char) in BREAKING for char in text):
            raise ValueError(
                f"{name}: expected at most {LONGEST} characters, without line breaks and control characters"
            )
    return person


def user_of(issuer: str, subject: str) -> str:
    """The name on the hub of somebody who comes from an LMS.

    E-mail addresses and names change, and two people may have the same; the issuer's ``sub`` stays, but
    tells capitals from small letters, which the hub does not.

    Args:
        issuer: ``iss`` of the launch.
        subject: ``sub`` of the launch, or ``user_id`` in the names and roles service; they are the same.

    Source: OpenID Connect Core 1.0, 5.7; LTI Names and Role Provisioning Services 2.0, 2.2.
    """
    return LAUNCHED + hashlib.sha256(f"{issuer}\n{subject}".encode()).hexdigest()[:LETTERS]


def read_people(path: Path) -> tuple[Person, ...]:
    """Read a list that `write_people` wrote; nobody where there is none.

    Raises:
        UsageError: with the file and the line that is wrong.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    names = [field.name for field in fields(Person)]
    reader = csv.DictReader(lines)
    if lines and list(reader.fieldnames or ()) != names:
        raise UsageError(
            f"{path}:1: expected the columns {','.join(names)}. `tensorgrade roster import` makes such a file"
        )
    people = []
    for row in reader:
        try:
            people.append(checked(Person(**{name: row[name] or "" for name in names})))
        except ValueError as error:
            raise UsageError(f"{path}:{reader.line_num}: {error}") from error
    return tuple(people)


def write_people(path: Path, people: Iterable[Person]) -> None:
    """Write the list, whole or not at all.

    Raises:
        StorageError: the folder cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Person)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(person) for person in sorted(people, key=lambda person: person.user))
    write_whole(path, text.getvalue())


def write_whole(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file so that a reader, or a crash, finds the old one or the new one.

    Raises:
        StorageError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            os.fchmod(handle, mode)
            file.flush()
            os.fsync(handle)
        Path(name).replace(path)
    except OSError as error:
        raise StorageError.from_os(error) from error
