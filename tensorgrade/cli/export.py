"""`tensorgrade export`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tensorgrade.cli.words import complain, course_option
from tensorgrade.course import Course
from tensorgrade.errors import UsageError

if TYPE_CHECKING:
    from tensorgrade.lms.files import Table
    from tensorgrade.lms.grades import Grade


@dataclass(frozen=True)
class _Wish:
    """What was asked for on the command line."""

    assignments: tuple[str, ...]
    kind: str
    output: Path | None
    template: Path | None
    titles: tuple[str, ...]
    key: str
    roster: Path | None
    folder: Path


KEYS = {"email": "email", "idnumber": "id_number", "username": "user"}


@click.command()
@click.argument("assignments", nargs=-1, metavar="[ASSIGNMENT]...")
@click.option("--to", "kind", type=click.Choice(["csv", "canvas", "moodle"]), required=True, help="For whom.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: standard output.")
@click.option(
    "--template",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Canvas: the file of Gradebook > Export, into which points are filled.",
)
@click.option("--title", "titles", multiple=True, metavar="ASSIGNMENT=TITLE", help="Canvas: its name there.")
@click.option(
    "--key", type=click.Choice(list(KEYS)), default="email", show_default=True, help="Moodle: how people are found."
)
@click.option("--roster", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="List with ID numbers.")
@course_option
def export(**options: Any) -> int:
    """Write the grades of ASSIGNMENTs (default: all) to a file for the LMS.

    Points are nbgrader's totals: manual points included, late penalty taken off. Who has handed in
    nothing, or waits for manual grading, has no points in the file, and is named on standard error.

    \b
    Canvas: export the gradebook there, let us fill in the points, and import the result:
      tensorgrade export attention --to canvas --template Grades-DL101.csv -o import.csv
      tensorgrade export attention --to canvas --template Grades-DL101.csv --title attention="Attention, week 3"
    \b
    Moodle: Grades > Import > CSV file; map `Email address` to `Email address`:
      tensorgrade export attention --to moodle -o moodle.csv
      tensorgrade export attention --to moodle --key idnumber --roster hub_config/roster/dl101.csv -o moodle.csv
    \b
    For a spreadsheet or a script:
      tensorgrade export --to csv -o grades.csv
    """
    from tensorgrade.lms.grades import read_grades
    from tensorgrade.lms.people import read_people, write_whole

    wish = _Wish(**options)
    grades = read_grades(Course.at(wish.folder), wish.assignments)
    if wish.roster:
        numbers = {person.user: person.id_number for person in read_people(wish.roster)}
        grades = tuple(
            replace(grade, person=replace(grade.person, id_number=numbers.get(grade.person.user, "")))
            for grade in grades
        )
    table, delimiter = _table(wish, grades)
    if wish.output:
        write_whole(wish.output, table.text(delimiter))
    else:
        click.echo(table.text(delimiter).replace("\r\n", "\n"), nl=False)
    for note in table.notes:
        complain(note)
    return 0


def _table(wish: _Wish, grades: tuple[Grade, ...]) -> tuple[Table, str]:
    """The file, and what stands between its columns."""
    from tensorgrade.lms.canvas import fill_template, read_template
    from tensorgrade.lms.files import canvas_table, csv_table, moodle_table

    if wish.kind != "canvas" and (wish.template or wish.titles):
        raise UsageError("export: --template and --title are for --to canvas")
    if wish.kind == "csv":
        return csv_table(grades), ","
    if wish.kind == "moodle":
        if wish.key == "idnumber" and not wish.roster:
            raise UsageError(
                "export: --key idnumber needs the list with these numbers, as in --roster roster/dl101.csv"
            )
        return moodle_table(grades, KEYS[wish.key]), ","
    titles = dict(_pair(text) for text in wish.titles)
    if wish.template is None:
        return canvas_table(grades, titles), ","
    template = read_template(wish.template)
    return fill_template(template, grades, titles), template.delimiter


def _pair(text: str) -> tuple[str, str]:
    name, equals, title = text.partition("=")
    if not (name and equals and title):
        raise UsageError(f"--title {text!r}: expected ASSIGNMENT=TITLE")
    return name, title
