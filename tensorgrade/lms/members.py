"""Reads who is in a course from the LMS's names and roles service."""

from __future__ import annotations

from typing import Any

from tensorgrade.errors import LmsError
from tensorgrade.lms.launch import Role, role_of
from tensorgrade.lms.people import Person, checked, user_of
from tensorgrade.lms.service import Service

SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
CONTAINER = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"


def read_members(service: Service, url: str, issuer: str) -> tuple[Person, ...]:
    """The active students of a course.

    Args:
        service: of the LMS.
        url: of the list, as a launch gave it.
        issuer: what the LMS calls itself.

    Raises:
        LmsError: the LMS refuses, or the list is not as the standard says; nobody is taken from such a list.

    Source: LTI Names and Role Provisioning Services 2.0.
    """
    people: dict[str, Person] = {}
    for page in service.pages(url, SCOPE, CONTAINER):
        members = page.get("members") if isinstance(page, dict) else None
        if not isinstance(members, list):
            raise LmsError(f"{url}: expected a list of members. Nothing was changed")
        for member in members:
            if role_of(member.get("roles", ())) is Role.STUDENT and member.get("status", "Active") == "Active":
                person = _person(url, member, issuer)
                people[person.user] = person
    return tuple(people.values())


def _person(url: str, member: dict[str, Any], issuer: str) -> Person:
    subject = str(member.get("user_id") or "")
    if not subject:
        raise LmsError(f"{url}: a member without user_id. Nothing was changed")
    first, _, last = str(member.get("name") or "").rpartition(" ")
    person = Person(
        user_of(issuer, subject),
        str(member.get("email") or ""),
        str(member.get("given_name") or first),
        str(member.get("family_name") or last),
        str(member.get("lis_person_sourcedid") or ""),
        subject,
    )
    try:
        return checked(person)
    except ValueError as error:
        raise LmsError(f"{url}: member {subject!r}: {error}. Nothing was changed") from error
