"""`tensorgrade roster`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tensorgrade.cli.hub_course import connected, hub_course, hub_options, state_option
from tensorgrade.cli.words import complain, course_option, shown
from tensorgrade.course import Course
from tensorgrade.errors import UsageError

if TYPE_CHECKING:
    from tensorgrade.hub.courses import HubCourse
    from tensorgrade.lms.people import Person

MOST_LOST = 0.5  # of the list; more is rather a wrong file than a wave of withdrawals


@click.group()
def roster() -> None:
    """Bring the students of a course into the hub and the gradebook.

    The list lies in hub_config/roster/COURSE.csv; the hub reads it when it starts. Whoever is not in a new
    list any more is named, is not let in again, and stays in the gradebook with all grades.
    """


@roster.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Also if most of the students before are not in it.")
@hub_options
@course_option
def import_file(file: Path, force: bool, hub: Path, name: str | None, folder: Path) -> int:
    """Take the students of FILE, a list that the LMS has exported (CSV, UTF-8, a header).

    Known columns: user name (username, login, SIS Login ID, ...), e-mail, first and last name or
    `Last, First`, ID number, LTI user id. A file with one wrong line changes nothing.

    \b
    Examples:
      tensorgrade roster import participants.csv
      tensorgrade roster import Grades-DL101.csv --hub /srv/hub --name dl101
    """
    from tensorgrade.lms.listing import read_listing

    course = Course.at(folder)
    known = hub_course(hub, name, course)
    return _take(course, known, _Lists(hub, read_listing(file), force))


@roster.command("sync")
@click.option("--force", is_flag=True, help="Also if most of the students before are not in it.")
@hub_options
@state_option
@course_option
def sync(force: bool, hub: Path, name: str | None, state: Path | None, folder: Path) -> int:
    """Take the students whom the LMS has in the course (LTI names and roles).

    \b
    Examples:
      tensorgrade roster sync
      tensorgrade roster sync --hub /srv/hub --name dl101 --state /srv/hub-state
    """
    from tensorgrade.lms.members import read_members

    course = Course.at(folder)
    known = hub_course(hub, name, course)
    with connected(hub, state, known) as lms:
        if not lms.services.members:
            raise UsageError("the LMS gave no list of people. Allow the tool names and roles there, and launch again")
        people = read_members(lms.service, lms.services.members, lms.way.issuer)
    return _take(course, known, _Lists(hub, people, force))


class _Lists:
    """The new list, and the place of the old one."""

    def __init__(self, hub: Path, people: tuple[Person, ...], force: bool) -> None:
        self.hub, self.people, self.force = hub, people, force


def _take(course: Course, known: HubCourse, lists: _Lists) -> int:
    """Write the list and the gradebook, and say what is new."""
    from tensorgrade.hub.courses import roster_of
    from tensorgrade.lms.enrol import enrol
    from tensorgrade.lms.people import read_people, write_people

    file = roster_of(lists.hub, known.name)
    before = {person.user for person in read_people(file)}
    people = tuple(person for person in lists.people if person.user not in known.staff)
    gone = sorted(before - {person.user for person in people})
    if before and len(gone) > MOST_LOST * len(before) and not lists.force:
        raise UsageError(
            f"{len(gone)} of {len(before)} students of {known.name} are not in the new list: is it the right one? "
            "Nothing was changed. If it is, add --force"
        )
    change = enrol(course, people)
    write_people(file, people)
    click.echo(f"{known.name}: {len(people)} students: {len(change.added)} new, {len(change.changed)} changed.")
    for user in sorted({person.user for person in lists.people} - {person.user for person in people}):
        complain(f"{shown(user)} is staff of {known.name}: left out")
    for user in change.absent:
        complain(f"{shown(user)} is not in the list. The gradebook keeps the grades")
    click.echo(f"The list: {file}. Start the hub again to let them in, unless they come from the LMS.")
    return 0
