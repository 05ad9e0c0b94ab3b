"""Who asks, and which courses they are in: the hub says so, never the request."""

from __future__ import annotations

import hashlib
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

from jupyterhub.services.auth import HubAuth
from tornado.web import HTTPError

from tensorgrade.hub.access import grading_service
from tensorgrade.hub.courses import HubCourse

REMEMBERED_SECONDS = 60.0  # so long a token that was revoked, or a student who was taken out, may still be let in
MOST_REMEMBERED = 10_000
METRICS_SCOPE = "read:metrics"  # the hub's own scope for its own figures


@dataclass(frozen=True)
class Caller:
    """Somebody whom the hub knows.

    Attributes:
        name: the user's, or the service's.
        student_of: courses in which they hand in.
        staff_of: courses whose submissions they see.
        may_read_metrics: whether the hub shows them its figures too.
    """

    name: str
    student_of: frozenset[str]
    staff_of: frozenset[str]
    may_read_metrics: bool = False

    @property
    def courses(self) -> frozenset[str]:
        """All of theirs."""
        return self.student_of | self.staff_of


class Callers:
    """Asks the hub who has a token, and remembers the answer for a minute.

    Args:
        courses: those of ``courses.toml``; no other is served.
        scope: what a token must have to be let in.
    """

    def __init__(self, courses: Collection[HubCourse], scope: str) -> None:
        self._courses, self._scope = tuple(courses), scope
        self.auth = HubAuth(parent=None)
        self._known: OrderedDict[str, tuple[float, dict[str, Any]]] = OrderedDict()

    async def model_of(self, token: str) -> dict[str, Any] | None:
        """What the hub says about a token; None: it knows none such.

        Only what is true is remembered: whoever sends many wrong tokens fills no memory.

        Raises:
            HTTPError: 503, the hub does not answer.
        """
        digest = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
        until, model = self._known.get(digest, (0.0, None))
        if model is not None and until > time.monotonic():
            return model
        self._known.pop(digest, None)
        try:
            answer = await self.auth.user_for_token(token, use_cache=False, sync=False)
        except HTTPError as error:
            raise HTTPError(503, "the hub does not say who you are. Try again") from error
        model = cast("dict[str, Any] | None", answer)
        if model is not None:
            self._known[digest] = (time.monotonic() + REMEMBERED_SECONDS, model)
            while len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        return model

    def caller(self, model: dict[str, Any]) -> Caller | None:
        """The caller behind a token; None: this token was not made for the exchange."""
        scopes = set(model.get("scopes", ()))
        if not self.auth.check_scopes({self._scope}, {**model, "scopes": scopes}):
            return None
        name, metrics = str(model.get("name", "")), METRICS_SCOPE in scopes
        if model.get("kind") == "service":
            staff = frozenset(course.name for course in self._courses if grading_service(course) == name)
            return Caller(name, frozenset(), staff, metrics)
        groups = set(model.get("groups") or ())
        staff = frozenset(course.name for course in self._courses if course.staff_group in groups)
        students = frozenset(course.name for course in self._courses if course.student_group in groups)
        return Caller(name, students - staff, staff, metrics)


def address_of(forwarded: str, proxies: Collection[str]) -> str | None:
    """From where somebody asks, for the log.

    The hub's proxy adds the address that it sees to what was in the header already, and anybody can have written that.
    So the last one counts; before it, only what a proxy in front of the hub's has added (ref: MDN, X-Forwarded-For,
    "selecting an IP address"). X-Real-Ip counts for nothing: the hub's proxy passes on what it is sent.

    Args:
        forwarded: the header X-Forwarded-For.
        proxies: addresses of the proxies in front of the hub's own.

    Returns:
        The address; None: it was not asked through the proxy.
    """
    found, known = None, {_plain(proxy) for proxy in proxies}
    for entry in reversed(forwarded.split(",") if forwarded else []):
        found = _plain(entry.strip())
        if found not in known:
            break
    return found


def _plain(address: str) -> str:
    """An address as it is usually written; one of IPv4 in one of IPv6's is that one."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address[:60]
    return str(getattr(known, "ipv4_mapped", None) or known)
