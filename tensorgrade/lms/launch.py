"""What a launch says: who comes, in which role, to which course, and where the services of that course are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from tensorgrade.errors import UsageError
from tensorgrade.lms.people import write_whole

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
GRADES = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
MEMBERS = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"


class Role(Enum):
    """What somebody is in a course."""

    STUDENT = "student"
    TA = "TA"
    INSTRUCTOR = "instructor"


def role_of(roles: Iterable[Any]) -> Role | None:
    """The role in the course; roles in the institution or the system say nothing about it.

    An LMS names a teaching assistant by a part of the role of an instructor, and sends that role too; so
    whoever is named an assistant is no more than that. Canvas writes the part in small letters.

    Args:
        roles: of a launch, or of a member in the names and roles service.

    Returns:
        The role; None if it is another one, such as an observer.

    Source: LTI 1.3 core, A.2.3 and A.2.3.1: names without an address are roles in the course too.
    """
    given = {str(role) for role in roles}
    assistant = {f"{MEMBERSHIP}/{word}#TeachingAssistant" for word in ("Instructor", "instructor")}
    if given & {*assistant, f"{MEMBERSHIP}#TeachingAssistant", "TeachingAssistant", "Instructor#TeachingAssistant"}:
        return Role.TA
    if given & {f"{MEMBERSHIP}#Instructor", "Instructor"}:
        return Role.INSTRUCTOR
    if given & {f"{MEMBERSHIP}#Learner", "Learner"}:
        return Role.STUDENT
    return None


@dataclass(frozen=True)
class Services:
    """Where the services of one course are.

    Attributes:
        context: the LMS's id of the course.
        line_items: the address of its columns of grades; empty if the LMS gave none.
        members: the address of its list of people; empty if the LMS gave none.
        scopes: what we may do with the grades.
    """

    context: str
    line_items: str = ""
    members: str = ""
    scopes: tuple[str, ...] = ()

    @classmethod
    def of(cls, launch: Mapping[str, Any]) -> Services:
        """What a launch says of them; it must have been verified."""
        grades, members = launch.get(GRADES) or {}, launch.get(MEMBERS) or {}
        context = launch.get(f"{CLAIM}context") or {}
        return cls(
            str(context.get("id", "")),
            str(grades.get("lineitems", "")),
            str(members.get("context_memberships_url", "")),
            tuple(str(scope) for scope in grades.get("scope", ())),
        )


def write_services(path: Path, services: Services) -> None:
    """Keep what the last launch said, for the commands that send grades and read who is there."""
    write_whole(path, json.dumps(asdict(services), indent=1))


def read_services(path: Path) -> Services:
    """What the last launch said.

    Raises:
        UsageError: nobody has come from the LMS yet.
    """
    if not path.is_file():
        raise UsageError(f"{path}: not there. Open the hub once from the course in the LMS; that tells its addresses")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Services(**{**content, "scopes": tuple(content["scopes"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{path}: cannot be read: {error}. Remove it, and open the hub once from the LMS") from error
