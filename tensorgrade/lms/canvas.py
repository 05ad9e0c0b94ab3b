"""Fills grades into the file that Canvas's gradebook exports, so that Canvas knows every person and column."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tensorgrade.errors import UsageError
from tensorgrade.lms.files import Table, harmless, shown_points
from tensorgrade.lms.grades import Grade
from tensorgrade.lms.notes import unfinished

PEOPLE = ("Student", "LastName", "FirstName", "ID", "SIS User ID", "SIS Login ID", "Integration ID", "Root Account")


@dataclass(frozen=True)
class Template:
    """A file of *Gradebook > Export*.

    Attributes:
        path: where it is.
        rows: the header first.
        delimiter: a comma, or a semicolon in some languages.
    """

    path: Path
    rows: tuple[tuple[str, ...], ...]
    delimiter: str

    def column(self, name: str) -> int | None:
        """The place of a column."""
        return self.rows[0].index(name) if name in self.rows[0] else None

    def column_of(self, title: str) -> int:
        """The place of an assignment, which Canvas calls ``Title (id)``.

        Raises:
            UsageError: there is none, or more than one.
        """
        titles = [re.sub(r" \(\d+\)$", "", name) for name in self.rows[0]]
        found = [index for index, one in enumerate(titles) if one.casefold() == title.casefold()]
        if len(found) != 1:
            known = ", ".join(one for one in titles if one not in (*PEOPLE, "Section"))
            raise UsageError(
                f"{self.path}: expected one column {title!r}, found {len(found)} (it has: {known}). "
                "Say which is meant, as in --title attention='Attention is all you need'"
            )
        return found[0]


def read_template(path: Path) -> Template:
    """Read a file that Canvas exported.

    Raises:
        UsageError: it is not one.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        first = (text.splitlines() or [""])[0]
        delimiter = max(",;", key=first.count)
        rows = tuple(tuple(row) for row in csv.reader(text.splitlines(keepends=True), delimiter=delimiter) if row)
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    if not rows or "ID" not in rows[0] or "Section" not in rows[0]:
        raise UsageError(f"{path}:1: expected Canvas's columns Student, ID, ..., Section. Use Gradebook > Export")
    return Template(path, rows, delimiter)


def fill_template(template: Template, grades: Iterable[Grade], titles: Mapping[str, str]) -> Table:
    """The same file with our points, and with no other assignment: what is not in it stays as it is in Canvas.

    Where we have no grade, the cell keeps what Canvas has: an empty one would take a grade away.

    Args:
        template: Canvas's file.
        grades: of one assignment or several.
        titles: by assignment, its name in Canvas where that is another.

    Raises:
        UsageError: a column is missing, or Canvas gives another number of points for it.

    Source: Canvas's `lib/gradebook_importer.rb`.
    """
    grades = tuple(grades)
    section = template.rows[0].index("Section")
    places = {grade.assignment: template.column_of(titles.get(grade.assignment, grade.assignment)) for grade in grades}
    _require_same_points(template, grades, places)
    points = {(grade.person.user, grade.assignment): grade.points for grade in grades}
    users = _users(template, grades)
    rows = []
    for number, row in enumerate(template.rows):
        cells = [row[index] if index < len(row) else "" for index in range(len(template.rows[0]))]
        for name, place in places.items():
            given = points.get((users.get(number, ""), name))
            cells[place] = cells[place] if given is None else shown_points(given)
        kept = [*range(section + 1), *places.values()]
        rows.append(tuple(harmless(cells[index]) if index <= section else cells[index] for index in kept))
    absent = sorted({grade.person.user for grade in grades if grade.points is not None} - set(users.values()))
    lost = [f"{user}: not in {template.path.name}, so the grade is not in the result" for user in absent]
    return Table(tuple(rows), (*unfinished(grades), *lost))


def _require_same_points(template: Template, grades: Iterable[Grade], places: Mapping[str, int]) -> None:
    possible = next((row for row in template.rows if row[0].strip().startswith("Points Possible")), ())
    for name, most in {grade.assignment: shown_points(grade.max_points) for grade in grades}.items():
        place = places[name]
        theirs = possible[place].strip() if place < len(possible) else ""
        try:
            same = not theirs or float(theirs.replace(",", ".")) == float(most)
        except ValueError:
            raise UsageError(
                f"{template.path}: {template.rows[0][place]}: Canvas lets nobody change it ({theirs})"
            ) from None
        if not same:
            raise UsageError(
                f"{template.path}: {template.rows[0][place]}: Canvas gives {theirs} points, the gradebook {most}. "
                "Points are not scaled: set one to the other, then export again"
            )


def _users(template: Template, grades: Iterable[Grade]) -> dict[int, str]:
    """By line of the file, the user whose it is: by SIS login ID, SIS user ID, or an e-mail used as login."""
    people = {grade.person for grade in grades}
    logins = {person.email.casefold(): person.user for person in people if person.email}
    logins |= {person.user.casefold(): person.user for person in people}
    numbers = {person.id_number: person.user for person in people if person.id_number}
    login, number = template.column("SIS Login ID"), template.column("SIS User ID")
    users: dict[int, str] = {}
    for index, row in enumerate(template.rows):
        cells = [row[at].strip() if at is not None and at < len(row) else "" for at in (login, number)]
        user = logins.get(cells[0].casefold()) or numbers.get(cells[1])
        if user is not None and index:
            if user in users.values():
                raise UsageError(f"{template.path}: two lines are about {user}")
            users[index] = user
    return users
