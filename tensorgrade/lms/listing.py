"""Reads the list of participants that an LMS exports."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from tensorgrade.errors import UsageError
from tensorgrade.lms.people import Person, checked

# What the exports call it, in small letters without spaces and signs.
COLUMNS = {
    "user": ("user", "username", "userid", "login", "loginid", "sisloginid", "studentid", "netid"),
    "email": ("email", "emailaddress", "mail"),
    "first_name": ("firstname", "givenname"),
    "last_name": ("lastname", "surname", "familyname"),
    "id_number": ("idnumber", "sisuserid", "sisid", "matriculation", "matriculationnumber", "studentnumber"),
    "lms_user_id": ("lmsuserid", "ltiuserid", "sub"),
}
NAME = ("student", "name", "fullname")  # "Lovelace, Ada" as Canvas writes it


def read_listing(path: Path) -> tuple[Person, ...]:
    """Read a file of an LMS: comma, semicolon or tab between columns, UTF-8, a header in the first line.

    Raises:
        UsageError: naming every line that is wrong; nobody is taken from such a file.
    """
    lines = _lines(path)
    columns = _columns(path, next(lines)[1])
    people: dict[str, tuple[int, Person]] = {}
    problems = []
    for number, row in lines:
        cells = {name: row[index].strip() if index < len(row) else "" for name, index in columns.items()}
        if not any(cells.values()) or _is_no_person(row):
            continue
        try:
            person = _person(cells)
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}")
            continue
        if person.user in people:
            problems.append(f"{path}:{number}: {person.user} is in line {people[person.user][0]} already")
        people[person.user] = number, person
    if not people and not problems:
        raise UsageError(f"{path}: nobody is in it. Expected a line for each student below the header")
    if problems:
        raise UsageError("\n".join([*problems, "Nothing was imported. Mend these lines, then import again."]))
    return tuple(person for _, person in people.values())


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: expected UTF-8. In a spreadsheet, save it as `CSV UTF-8`") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    if not text.strip():
        raise UsageError(f"{path}: it is empty")
    header = text.lstrip().splitlines()[0]
    reader = csv.reader(text.splitlines(keepends=True), delimiter=max(",;\t", key=header.count), strict=True)
    try:
        yield from ((reader.line_num, row) for row in reader if any(cell.strip() for cell in row))
    except csv.Error as error:
        raise UsageError(f"{path}:{reader.line_num}: not a line of a CSV file: {error}") from error


def _columns(path: Path, header: list[str]) -> dict[str, int]:
    """Which column holds what."""
    plain = ["".join(char for char in cell.lower() if char.isalnum()) for cell in header]
    found: dict[str, int] = {}
    for name, words in (*COLUMNS.items(), ("name", NAME)):
        at = [index for index, cell in enumerate(plain) if cell in words]
        if len(at) > 1:
            raise UsageError(f"{path}:1: both {header[at[0]]!r} and {header[at[1]]!r} could be {name}. Remove one")
        if at:
            found[name] = at[0]
    if "user" not in found:
        known = ", ".join(COLUMNS["user"])
        raise UsageError(
            f"{path}:1: no column has the user names. Expected one called {known}, got {', '.join(header)}"
        )
    return found


def _is_no_person(row: list[str]) -> bool:
    """Lines of Canvas's gradebook that are not about a student."""
    first = row[0].strip()
    return first.startswith("Points Possible") or first == "Student, Test"


def _person(cells: dict[str, str]) -> Person:
    name = cells.pop("name", "")
    if name and not cells.get("last_name"):
        last, comma, first = name.partition(",")
        if not comma:
            first, _, last = name.rpartition(" ")
        cells.update(first_name=first.strip(), last_name=last.strip())
    if not cells["user"]:
        raise ValueError("the user name is missing")
    cells["user"] = cells["user"].lower()  # as JupyterHub does
    email = cells.get("email", "")
    if email and ("@" not in email.strip("@") or " " in email):
        raise ValueError(f"e-mail {email!r}: expected an address such as ada@example.edu")
    return checked(Person(**{field.name: cells.get(field.name, "") for field in fields(Person)}))
