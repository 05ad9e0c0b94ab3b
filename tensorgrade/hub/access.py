"""Who may open what: groups and roles, with the least scopes that do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tensorgrade.hub.courses import HubCourse


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


def roles_of(courses: Iterable[HubCourse]) -> list[dict[str, Any]]:
    """JupyterHub's ``load_roles``: nobody is admin, and no role reaches into another user's server.

    Source: the scopes in JupyterHub's reference, *rbac/scopes*.
    """
    roles: list[dict[str, Any]] = [_server_role(), _culler_role()]
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
                "description": f"Change who is in {course.title}, and stop students' servers",
                "groups": [course.instructor_group],
                "scopes": [
                    f"groups!group={students}",
                    f"list:users!group={students}",
                    f"read:users!group={students}",
                    f"servers!group={students}",
                ],
            },
        ]
    return roles


def _server_role() -> dict[str, Any]:
    """What a user's own server may do with the token in its environment."""
    own = ("users:activity!user", "access:servers!user", "read:users:name!user", "read:users:groups!user")
    return {"name": "server", "scopes": [*own, "list:services", "read:services"]}


def _culler_role() -> dict[str, Any]:
    """What stops idle servers."""
    scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
    return {"name": "idle-culler", "services": ["idle-culler"], "scopes": scopes}
