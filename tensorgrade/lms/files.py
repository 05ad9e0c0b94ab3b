"""Writes grades as the importers of Canvas and Moodle, and a spreadsheet, read them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tensorgrade.errors import UsageError
from tensorgrade.lms.grades import Grade
from tensorgrade.lms.notes import above_moodle, unfinished
from tensorgrade.lms.people import Person

# What makes a spreadsheet take a cell for a formula, also in the wide forms of East Asian keyboards
# (ref: OWASP, CSV Injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
NO_GRADE = "-"  # Moodle's word for it; an empty cell becomes a 0 where it makes a new grade item
MOODLE_KEYS = {"email": "Email address", "id_number": "ID number", "user": "Username"}
LINE_ENDS = "\r\n"  # RFC 4180


@dataclass(frozen=True)
class Table:
    """A file to import, and what a person should know before.

    Attributes:
        rows: the header first.
        notes: sentences on what is not in it.
    """

    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def text(self, delimiter: str = ",") -> str:
        """The file's content."""
        file = io.StringIO()
        csv.writer(file, delimiter=delimiter, lineterminator=LINE_ENDS).writerows(self.rows)
        return file.getvalue()


def is_formula(text: str) -> bool:
    """Whether a spreadsheet may compute the cell instead of showing it."""
    return text.startswith(FORMULA) or text.lstrip().startswith(FORMULA)


def harmless(text: str) -> str:
    """A text that a spreadsheet shows as it is: with an apostrophe before it where it would be a formula."""
    return f"'{text}" if is_formula(text) else text


def shown_points(points: float | None) -> str:
    """A number as every importer reads it; nothing for what has none."""
    return "" if points is None else f"{points:.2f}".rstrip("0").rstrip(".")


def csv_table(grades: Iterable[Grade]) -> Table:
    """One line for each student and assignment, for people and their scripts."""
    header = ("assignment", "student", "last_name", "first_name", "email")
    numbers = ("submitted", "state", "late_penalty", "points", "max_points")
    grades = tuple(grades)
    rows = [
        (
            *(harmless(text) for text in (grade.assignment, grade.person.user, grade.person.last_name)),
            *(harmless(text) for text in (grade.person.first_name, grade.person.email)),
            *(grade.submitted, grade.state.value, shown_points(grade.late_penalty)),
            *(shown_points(grade.points), shown_points(grade.max_points)),
        )
        for grade in grades
    ]
    return Table(((*header, *numbers), *rows), tuple(unfinished(grades)))


def moodle_table(grades: Iterable[Grade], key: str) -> Table:
    """What Moodle's *Grades > Import > CSV file* reads.

    Moodle gives up the whole import at the first person that it does not know, so whoever has no key, or
    no grade, is left out.

    Args:
        grades: of one assignment or several.
        key: by what Moodle finds people: ``email``, ``id_number`` or ``user``; the case of letters counts.

    Raises:
        UsageError: two students have the same key.

    Source: docs.moodle.org, *Grade import*; Moodle's `grade/import/csv/classes/load_data.php`.
    """
    grades = tuple(grades)
    notes = [*unfinished(grades), *above_moodle(grades)]
    by_person = _by_person(grades)
    assignments = tuple(dict.fromkeys(grade.assignment for grade in grades))
    seen: dict[str, str] = {}
    rows = []
    for person, theirs in by_person.items():
        value = getattr(person, key)
        if all(grade.points is None for grade in theirs.values()):
            continue
        if not value or is_formula(value):
            what = "is no text that a spreadsheet leaves alone" if value else "is missing"
            notes.append(f"{person.user}: left out, because the {MOODLE_KEYS[key].lower()} {what}. Enter it by hand")
            continue
        if value in seen:
            raise UsageError(f"{seen[value]} and {person.user} have the same {MOODLE_KEYS[key].lower()}, {value}")
        seen[value] = person.user
        points = (shown_points(theirs[name].points) or NO_GRADE for name in assignments)
        rows.append((value, harmless(person.first_name), harmless(person.last_name), *points))
    header = (MOODLE_KEYS[key], "First name", "Last name", *(harmless(name) for name in assignments))
    return Table((header, *rows), tuple(notes))


def canvas_table(grades: Iterable[Grade], titles: Mapping[str, str]) -> Table:
    """What Canvas's *Gradebook > Import* reads, for an assignment that Canvas does not have yet.

    Args:
        grades: of one assignment or several.
        titles: by assignment, its name in Canvas where that is another.

    Source: Canvas's `lib/gradebook_importer.rb`: the columns, and that people are found by ID, then SIS user
    ID, then SIS login ID, then name.
    """
    grades = tuple(grades)
    most = {grade.assignment: shown_points(grade.max_points) for grade in grades}
    header = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
    rows = [
        (*header, *(harmless(titles.get(name, name)) for name in most)),
        ("    Points Possible", "", "", "", "", *most.values()),
    ]
    notes = list(unfinished(grades))
    for person, theirs in _by_person(grades).items():
        if is_formula(person.user) or is_formula(person.id_number):
            notes.append(f"{person.user}: left out: the name would be a formula in a spreadsheet. Enter it by hand")
            continue
        name = ", ".join(filter(None, (person.last_name, person.first_name))) or person.user
        points = (shown_points(theirs[assignment].points) for assignment in most)
        rows.append((harmless(name), "", person.id_number, person.user, "", *points))
    return Table(tuple(rows), tuple(notes))


def _by_person(grades: Iterable[Grade]) -> dict[Person, dict[str, Grade]]:
    people: dict[Person, dict[str, Grade]] = {}
    for grade in grades:
        people.setdefault(grade.person, {})[grade.assignment] = grade
    return people
