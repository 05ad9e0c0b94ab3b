"""Who may open what: groups and roles, with the least scopes that do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tensorgrade.hub.courses import HubCourse

EXCHANGE = "exchange"  # what the hub calls the service; part of its address
EXCHANGE_SCOPE = f"access:services!service={EXCHANGE}"


def groups_of(courses: Iterable[HubCourse]) -> dict[str, dict[str, list[str]]]:
    """JupyterHub's ``load_groups``."""
    groups = {}
    for course in courses:
        groups[course.staff_group] = {"users": list(course.staff)}
        groups[course.instructor_group] = {"users": list(course.instructors)}
        groups[course.student_group] = {"users": list(course.students)}
    return groups


def grading_service(course: HubCourse) -> str:
    """What the hub calls the course's grading page; part of its address."""
    return f"grading-{course.name}"


def roles_of(courses: Iterable[HubCourse], *, exchange: bool = False) -> list[dict[str, Any]]:
    """JupyterHub's ``load_roles``: nobody is admin, and no role reaches into another user's server.

    Args:
        courses: whose members have roles.
        exchange: whether the exchange is a service.

    Source: the scopes in JupyterHub's reference, *rbac/scopes*.
    """
    courses = tuple(courses)
    roles = [_server_role(exchange=exchange), _culler_role(), *([_exchange_role(courses)] if exchange else [])]
    for course in courses:
        students, page = course.student_group, grading_service(course)
        roles += [
            {
                "name": page,
                "description": f"Grade in {course.title}",
                "groups": [course.staff_group],
                "scopes": [f"{verb}:services!service={page}" for verb in ("access", "list", "read")],
            },
            {
                "name": course.instructor_group,
                "description": f"See who studies {course.title}, and stop students' servers",
                "groups": [course.instructor_group],
                "scopes": [
                    f"list:users!group={students}",
                    f"read:users!group={students}",
                    f"servers!group={students}",
                ],
            },
        ]
    return roles


def _exchange_role(courses: Iterable[HubCourse]) -> dict[str, Any]:
    """Who may ask the exchange: members of courses, and the courses' grading pages. It decides what each may do."""
    groups = [group for course in courses for group in (course.staff_group, course.student_group)]
    pages = [grading_service(course) for course in courses]
    return {"name": EXCHANGE, "groups": groups, "services": pages, "scopes": [EXCHANGE_SCOPE]}


def _server_role(*, exchange: bool) -> dict[str, Any]:
    """What a user's own server may do with the token in its environment."""
    own = ("users:activity!user", "access:servers!user", "read:users:name!user", "read:users:groups!user")
    more = [EXCHANGE_SCOPE] if exchange else []
    return {"name": "server", "scopes": [*own, "list:services", "read:services", *more]}


def _culler_role() -> dict[str, Any]:
    """What stops idle servers."""
    scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
    return {"name": "idle-culler", "services": ["idle-culler"], "scopes": scopes}
