"""The interface under ``api/``: who is let in, what is answered, and a line in the log for each refusal.

Only a token in the ``Authorization`` header counts here, so that no page of somebody else's can make a browser ask.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import sys
from datetime import UTC, datetime
from typing import IO, Any
from urllib.parse import quote

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler

from tensorgrade.errors import StorageError
from tensorgrade.hub.exchange.archive import BadArchive
from tensorgrade.hub.exchange.callers import Caller, address_of
from tensorgrade.hub.exchange.database import DISK_FULL
from tensorgrade.hub.exchange.nouns import Refused, Submission
from tensorgrade.hub.exchange.service import Service
from tensorgrade.hub.exchange.storage import Missing

NAME = re.compile(r"\w[\w.@+ -]{0,127}")  # of assignments: part of folders and of addresses
TOKEN = re.compile(r"(?:token|bearer)\s+(\S+)", re.IGNORECASE)
PIECE = 64 * 1024
READ_ANYWAY = 4  # times the limit, of somebody who may send nothing here; of more, the connection is closed
AWAY = "the exchange's database or store is away. Try again"
BUSY = "two of your submissions are on their way already. Wait for them, then try again"
FULL = "the exchange's disk is full. Tell whoever runs it; what has a receipt is safe"
NOT_STORED = "the exchange could not use its disk: nothing was stored. Try again; what has a receipt is safe"
GONE = "the exchange does not find these files. Tell whoever runs it"

log = logging.getLogger("tensorgrade.exchange")


class Api(RequestHandler):  # type: ignore[misc]  # tornado's
    """What every address has: a caller whom the hub knows, and answers in JSON."""

    caller: Caller | None = None
    uploads = False

    @property
    def service(self) -> Service:
        """The exchange."""
        found: Service = self.settings["service"]
        return found

    def check_xsrf_cookie(self) -> None:
        """Cookies count for nothing here."""

    async def prepare(self) -> None:
        """Find out who asks; tornado calls this."""
        self.set_header("Cache-Control", "no-store")
        self.caller = await self.identify()

    async def identify(self) -> Caller:
        """Who asks.

        Raises:
            HTTPError: 401, there is no token; 403, the hub does not know it, or it is not for the exchange.
        """
        match = TOKEN.fullmatch(self.request.headers.get("Authorization", ""))
        if not match:
            raise HTTPError(401, "expected a token of the hub: Authorization: token ...")
        model = await self.service.callers.model_of(match[1])
        if model is None:
            raise HTTPError(403, "the hub does not know this token")
        caller = self.service.callers.caller(model)
        self.caller = caller or Caller(str(model.get("name", "")), frozenset(), frozenset())  # for the log
        if caller is None:
            raise HTTPError(403, "this token was not made for the exchange")
        return caller

    @property
    def who(self) -> Caller:
        """Who asks, once that is known."""
        if self.caller is None:
            raise HTTPError(403)
        return self.caller

    def require_student(self, course: str) -> str:
        """Their name, if they hand in in this course.

        Raises:
            HTTPError: 403, they do not.
        """
        if course not in self.who.student_of:
            raise HTTPError(403, f"you are no student of {course}")
        return self.who.name

    def require_staff(self, course: str) -> None:
        """Check that they are staff of this course.

        Raises:
            HTTPError: 403, they are not.
        """
        if course not in self.who.staff_of:
            raise HTTPError(403, f"you are not staff of {course}")

    def require_member(self, course: str) -> None:
        """Check that they are in this course.

        Raises:
            HTTPError: 403, they are not.
        """
        if course not in self.who.courses:
            raise HTTPError(403, f"you are not in {course}")

    def bound_body(self, *, is_allowed: bool) -> None:
        """Let what is sent come to its end, whatever the answer will be: whoever is still sending would not hear it.

        A proxy that is cut off in the middle makes an error of its own out of it. The time has a bound for everybody.

        Args:
            is_allowed: whether they may send something here: then they hear that it is too large, however large it is.
        """
        settings = self.service.settings
        self.request.connection.set_max_body_size(sys.maxsize if is_allowed else READ_ANYWAY * settings.upload_bytes)
        self.request.connection.set_body_timeout(settings.upload_seconds)

    def begin_upload(self) -> None:
        """Count what this student is handing in, until `end_upload`.

        Raises:
            HTTPError: 429, it is one too many at a time.
        """
        self.uploads = self.service.uploads.begin(self.who.name)
        if not self.uploads:
            raise HTTPError(429, BUSY)

    def end_upload(self) -> None:
        """It has ended, in whatever way; to say so twice is no matter."""
        if self.uploads:
            self.uploads = False
            self.service.uploads.end(self.who.name)

    async def own_submission(self, receipt: str) -> Submission:
        """A submission, for whoever handed it in and for the course's staff.

        Raises:
            HTTPError: 403, for nobody else.
        """
        found: Submission = await self.run(self.service.records.submission, receipt)
        mine = found.student == self.who.name and found.course in self.who.student_of
        if not mine and found.course not in self.who.staff_of:
            raise HTTPError(403, "this is somebody else's submission")
        return found

    async def run(self, work: Any, *arguments: Any, **more: Any) -> Any:
        """Do what waits for the disk or the database.

        Raises:
            HTTPError: what went wrong, as a status and a sentence.
        """
        try:
            return await self.service.run(lambda: work(*arguments, **more))
        except Refused as error:
            raise HTTPError(error.status, error.reason) from error
        except BadArchive as error:
            raise HTTPError(400, f"the archive is not taken: {error}") from error
        except Missing as error:
            log.error("%s", error)
            raise HTTPError(404, GONE) from error
        except StorageError as error:
            log.error("%s", error)
            full = str(error) == DISK_FULL
            raise HTTPError(507 if full else 503, FULL if full else AWAY) from error
        except OSError as error:
            raise of_disk(error) from error

    async def send(self, file: IO[bytes], name: str) -> None:
        """Answer with a file that was kept."""
        self.set_header("Content-Type", "application/gzip")
        # Headers are Latin-1; this is how other letters stand in one (ref: RFC 6266, 4.3; RFC 8187).
        self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(name, safe='')}.tar.gz")
        with file:
            while piece := await self.service.run(lambda: file.read(PIECE)):
                self.write(piece)
                try:
                    await self.flush()
                except StreamClosedError:
                    return  # whoever asked has gone

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """The reason, as JSON, and a line in the log."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        known = isinstance(error, HTTPError) and error.log_message
        reason = error.log_message if isinstance(error, HTTPError) and known else self._reason
        if status_code == 401:
            self.set_header("WWW-Authenticate", "token")
        if status_code == 503 or reason == BUSY:
            self.set_header("Retry-After", "5")
        self.audit("refused" if status_code < 500 else "failed", status=status_code, reason=reason)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"error": reason}))

    def audit(self, event: str, **values: Any) -> None:
        """Add a line to the log."""
        who = self.caller.name if self.caller else None
        place = address_of(self.request.headers.get("X-Forwarded-For", ""), self.service.settings.proxies)
        request = {"method": self.request.method, "path": self.request.path[:500], "from": place}
        self.service.audit.write(event, who=who, **request, **values)


class NotFound(Api):
    """All other addresses."""

    async def prepare(self) -> None:
        """Say no; tornado calls this."""
        raise HTTPError(404, "there is nothing at this address")


class Health(Api):
    """Whether the exchange can take a submission; asked by the hub, and by what watches it."""

    async def prepare(self) -> None:
        """Anybody may ask; tornado calls this."""

    async def get(self) -> None:
        """Ask the database and the store."""
        await self.run(self.service.records.assignments, ())
        await self.run(self.service.store.check)
        self.finish({"status": "ok"})


class Figures(Api):
    """The exchange's figures, for whoever may read the hub's own."""

    async def get(self) -> None:
        """As Prometheus reads them."""
        if not self.who.may_read_metrics:
            raise HTTPError(403, "expected a token with the scope read:metrics")
        self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.finish(self.service.metrics.text())


class Assignments(Api):
    """What is out."""

    async def get(self) -> None:
        """In all courses of the caller's, or in one."""
        course = self.get_query_argument("course", "")
        if course:
            self.require_member(course)
        found = await self.run(self.service.records.assignments, {course} if course else self.who.courses)
        self.finish({"assignments": [one.as_json() for one in found]})


class OneAssignment(Api):
    """One that is out; `sending` puts it there."""

    async def get(self, course: str, name: str) -> None:
        """Its files."""
        self.require_member(course)
        found = await self.run(self.service.records.assignment, course, name)
        await self.send(await self.run(self.service.store.open, found.stored), name)

    async def delete(self, course: str, name: str) -> None:
        """Take it out of sight."""
        self.require_staff(course)
        await self.run(self.service.records.assignment, course, name)
        await self.run(self.service.records.withdraw, course, name)
        self.audit("withdrawn")
        self.finish({})

    async def patch(self, course: str, name: str) -> None:
        """Change when it is due."""
        self.require_staff(course)
        found = await self.run(self.service.records.set_due, course, name, time_of(self.get_query_argument("due", "")))
        self.audit("due date set", due=found.as_json()["due"])
        self.finish(found.as_json())


class Submissions(Api):
    """What was handed in: students see their own, staff see all of their courses."""

    async def get(self) -> None:
        """By course, assignment and student."""
        where = {
            name: value for name in ("course", "assignment", "student") if (value := self.get_query_argument(name, ""))
        }
        course = where.get("course", "")
        if course:
            self.require_member(course)
        if course not in self.who.staff_of and where.setdefault("student", self.who.name) != self.who.name:
            raise HTTPError(403, "these are somebody else's submissions")
        found = await self.run(self.service.records.submissions, **where)
        self.finish({"submissions": [one.as_json() for one in found if one.course in self.who.courses]})


class Receipt(Api):
    """One submission."""

    async def get(self, receipt: str) -> None:
        """The receipt again."""
        self.finish((await self.own_submission(receipt)).as_json())


class Files(Api):
    """The bytes of one submission."""

    async def get(self, receipt: str) -> None:
        """As they came."""
        found = await self.own_submission(receipt)
        stored = await self.run(found.require_files)
        await self.send(await self.run(self.service.store.open, stored), f"{found.assignment}-{found.number}")


class FeedbackFiles(Api):
    """The feedback on one submission; `sending` puts it there."""

    async def get(self, receipt: str) -> None:
        """The pages."""
        found = await self.own_submission(receipt)
        stored = await self.run(found.require_feedback)
        await self.send(await self.run(self.service.store.open, stored), "feedback")


def of_disk(error: OSError) -> HTTPError:
    """The answer to an error of the disk; what it was is written down for whoever runs the exchange."""
    place = os.fsdecode(error.filename or "the exchange's folder")
    log.error("%s: %s. Mend it; what came meanwhile was refused, and has no receipt", place, error.strerror or error)
    return HTTPError(507, FULL) if error.errno in (errno.ENOSPC, errno.EDQUOT) else HTTPError(503, NOT_STORED)


def time_of(text: str) -> datetime | None:
    """A time that somebody wrote; nothing: none.

    Raises:
        HTTPError: 400, it is no time.
    """
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise HTTPError(400, f"expected a time such as 2026-02-03T15:00:00Z, got {text[:60]!r}") from error
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).replace(tzinfo=None)
