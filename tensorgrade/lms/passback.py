"""Sends totals to the LMS's gradebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from urllib.parse import urlencode, urlsplit

from tensorgrade.errors import LmsError
from tensorgrade.lms.grades import Grade
from tensorgrade.lms.launch import Services
from tensorgrade.lms.service import Service

AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
ITEMS, SCORES, RESULTS = f"{AGS}lineitem", f"{AGS}score", f"{AGS}result.readonly"
ITEM = "application/vnd.ims.lis.v2.lineitem+json"
ITEM_LIST = "application/vnd.ims.lis.v2.lineitemcontainer+json"
SCORE = "application/vnd.ims.lis.v1.score+json"
RESULT_LIST = "application/vnd.ims.lis.v2.resultcontainer+json"
TAG = "tensorgrade"
CLOSE = 0.005  # points; an LMS keeps two digits


class Fate(Enum):
    """What became of a grade, or will."""

    SEND = "to send"
    SAME = "the LMS has it"
    SENT = "sent"
    NOT_GRADED = "not graded"
    UNKNOWN = "no LMS id"
    REFUSED = "refused"


@dataclass(frozen=True)
class Score:
    """A grade on its way.

    Attributes:
        grade: the total.
        fate: what became of it.
        before: points that the LMS has, of ``grade.max_points``; None if none, or if it does not tell.
        reason: why it was refused.
    """

    grade: Grade
    fate: Fate
    before: float | None = None
    reason: str = ""


class Passback:
    """One assignment's column in the LMS."""

    def __init__(self, service: Service, services: Services, assignment: str, max_points: float) -> None:
        if not services.line_items:
            raise LmsError("the LMS gave no address for grades. Allow the tool to manage them (AGS), and launch again")
        self._service = service
        self._services = services
        self._assignment = assignment
        self._max_points = max_points

    def plan(self, grades: Iterable[Grade]) -> tuple[Score, ...]:
        """What is to be sent; changes nothing in the LMS.

        Raises:
            LmsError: the LMS refuses, or has two columns for the assignment.
        """
        item = self._find()
        before = self._results(str(item["id"])) if item else {}
        return tuple(self._planned(grade, before) for grade in grades)

    def send(self, scores: Iterable[Score]) -> Iterator[Score]:
        """Send what is to be sent, after making the column if it is not there.

        Yields:
            Each score with its fate; one that is refused stops no other.

        Raises:
            LmsError: the column cannot be made, or the LMS refuses whatever we send.
        """
        scores = tuple(scores)
        address = self._column() if any(score.fate is Fate.SEND for score in scores) else ""
        for score in scores:
            yield self._sent(address, score) if score.fate is Fate.SEND else score

    def _planned(self, grade: Grade, before: dict[str, float]) -> Score:
        person = grade.person.lms_user_id
        had = before.get(person)
        if grade.points is None:
            return Score(grade, Fate.NOT_GRADED, had)
        if not person:
            return Score(grade, Fate.UNKNOWN)
        same = had is not None and abs(had - grade.points) < CLOSE
        return Score(grade, Fate.SAME if same else Fate.SEND, had)

    def _find(self) -> dict[str, Any] | None:
        query = urlencode({"resource_id": self._assignment, "tag": TAG})
        items: list[dict[str, Any]] = []
        for page in self._service.pages(_with_query(self._services.line_items, query), ITEMS, ITEM_LIST):
            # Not every LMS heeds the query.
            items += [one for one in page if one.get("resourceId") == self._assignment and one.get("tag") == TAG]
        if len(items) > 1:
            raise LmsError(f"{self._assignment}: the LMS has {len(items)} columns for it. Remove all but one there")
        return items[0] if items else None

    def _column(self) -> str:
        """The address of the column, with as many points as the assignment gives.

        Source: LTI Assignment and Grade Services 2.0, 3.2.
        """
        item = self._find()
        headers = {"Content-Type": ITEM, "Accept": ITEM}
        if item is None:
            wanted = {"label": self._assignment, "scoreMaximum": self._max_points}
            wanted |= {"resourceId": self._assignment, "tag": TAG}
            made = self._service.send("POST", self._services.line_items, ITEMS, json=wanted, headers=headers).json()
            return str(made["id"])
        if abs(float(item["scoreMaximum"]) - self._max_points) >= CLOSE:
            changed = {**item, "scoreMaximum": self._max_points}
            self._service.send("PUT", str(item["id"]), ITEMS, json=changed, headers=headers)
        return str(item["id"])

    def _results(self, address: str) -> dict[str, float]:
        """By LMS id, the points that the LMS has; nothing where we may not read them."""
        if RESULTS not in self._services.scopes:
            return {}
        results: dict[str, float] = {}
        for page in self._service.pages(_below(address, "results"), RESULTS, RESULT_LIST):
            for one in page:
                if one.get("resultScore") is not None:
                    scale = self._max_points / float(one.get("resultMaximum") or 1)
                    results[str(one["userId"])] = float(one["resultScore"]) * scale
        return results

    def _sent(self, address: str, score: Score) -> Score:
        """Source: LTI Assignment and Grade Services 2.0, 3.4."""
        content = {
            "userId": score.grade.person.lms_user_id,
            "scoreGiven": score.grade.points,
            "scoreMaximum": self._max_points,
            "activityProgress": "Completed",
            "gradingProgress": "FullyGraded",
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        try:
            headers = {"Content-Type": SCORE}
            self._service.send("POST", _below(address, "scores"), SCORES, json=content, headers=headers)
        except LmsError as error:
            if error.status in (0, 401, 403):  # nobody else's will be taken either
                raise
            return replace(score, fate=Fate.REFUSED, reason=str(error))
        return replace(score, fate=Fate.SENT)


def _below(address: str, word: str) -> str:
    """The address of a part; what stands behind a question mark stays behind (Moodle's have one)."""
    parts = urlsplit(address)
    return parts._replace(path=f"{parts.path.rstrip('/')}/{word}").geturl()


def _with_query(address: str, query: str) -> str:
    parts = urlsplit(address)
    return parts._replace(query="&".join(filter(None, (parts.query, query)))).geturl()
