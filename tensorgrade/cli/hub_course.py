"""What commands about people and grades share: the course as the hub knows it, and the LMS that it is in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tensorgrade.cli.hub import _default_state
from tensorgrade.course import Course
from tensorgrade.errors import UsageError

if TYPE_CHECKING:
    from tensorgrade.hub.courses import HubCourse
    from tensorgrade.hub.ways_in import WayIn
    from tensorgrade.lms.launch import Services
    from tensorgrade.lms.service import Service


def hub_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name the hub and the course there."""
    folder = click.Path(file_okay=False, path_type=Path)
    command = click.option("--name", metavar="COURSE", help="The course in courses.toml (default: nbgrader's id).")(
        command
    )
    return click.option(
        "--hub",
        type=folder,
        default="hub_config",
        show_default=True,
        metavar="DIR",
        help="The folder with courses.toml.",
    )(command)


def state_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option that names the hub's state."""
    kind = click.Path(file_okay=False, path_type=Path)
    return click.option(
        "--state", type=kind, metavar="DIR", envvar="TENSORGRADE_HUB_STATE", help="That of `tensorgrade hub`."
    )(command)


def hub_course(hub: Path, name: str | None, course: Course) -> HubCourse:
    """The course as the hub knows it.

    Raises:
        UsageError: it is not clear which one is meant.
    """
    from tensorgrade.hub.courses import read_courses

    courses = {one.name: one for one in read_courses(hub / "courses.toml")}
    wanted = name or course.start_nbgrader().coursedir.course_id
    if wanted in courses:
        return courses[wanted]
    if name is None and len(courses) == 1:
        return next(iter(courses.values()))
    raise UsageError(f"{hub / 'courses.toml'}: no course {wanted!r}; it has {', '.join(courses)}. Choose with --name")


@dataclass(frozen=True)
class Connection:
    """An LMS, and the course there.

    Attributes:
        service: speaks to it.
        services: where the course's lists are.
        way: how the LMS is registered.
    """

    service: Service
    services: Services
    way: WayIn


@contextmanager
def connected(hub: Path, state: Path | None, course: HubCourse) -> Iterator[Connection]:
    """The LMS in which a course is.

    Yields:
        The connection.

    Raises:
        UsageError: people do not come from an LMS, or nobody has come yet.
    """
    from tensorgrade.hub.ways_in import SERVICES, TOOL_KEY, read_way_in
    from tensorgrade.lms.keys import tool_key
    from tensorgrade.lms.launch import read_services
    from tensorgrade.lms.service import Service

    way = read_way_in(hub / "sign_in.toml")
    if way.kind != "lti":
        raise UsageError(f"{hub / 'sign_in.toml'}: expected the table [lti], which says where the LMS is")
    folder = state or _default_state()
    services = read_services(folder / SERVICES / f"{course.name}.json")
    with Service(way.platform, tool_key(folder / TOOL_KEY)) as service:
        yield Connection(service, services, way)
