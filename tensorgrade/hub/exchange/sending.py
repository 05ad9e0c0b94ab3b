"""What is sent to the exchange: submissions of students, assignments and feedback of staff.

A body goes to the disk piece by piece. One that is refused is read to its end all the same, within bounds: who is
still sending would see a broken connection instead of the reason.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

from tornado.web import HTTPError, stream_request_body

from tensorgrade.hub.exchange.archive import NAME_BYTES, BadArchive, read_archive
from tensorgrade.hub.exchange.handlers import NAME, Api, FeedbackFiles, OneAssignment, of_disk, time_of
from tensorgrade.hub.exchange.nouns import Kept
from tensorgrade.hub.exchange.service import Service
from tensorgrade.hub.exchange.storage import Part

ATTEMPT = re.compile(r"[\x21-\x7e]{1,64}")
PAGE = re.compile(r"[^/]+\.html")


class Sending(Api):
    """A request with an archive in its body."""

    part: Part | None = None
    refusal: HTTPError | None = None
    is_whole = False

    async def prepare(self) -> None:
        """Find out who asks before a byte is taken; tornado calls this."""
        if not self.takes_body:
            await super().prepare()
            return
        try:
            await super().prepare()
            await self.require_role(*self.path_args)
        except HTTPError as error:
            self.refusal = error
        self.bound_body(is_allowed=self.refusal is None)
        if self.refusal is None:
            self._begin()

    def _begin(self) -> None:
        if int(self.request.headers.get("Content-Length", 0)) > self.service.settings.upload_bytes:
            self.refusal = self._too_large()
            return
        try:
            self.part = Part(self.service.store.incoming)
        except OSError as error:
            self.refusal = of_disk(error)

    @property
    def takes_body(self) -> bool:
        """Whether this request brings an archive."""
        return self.request.method in ("POST", "PUT")

    async def require_role(self, *place: str) -> None:
        """Check that the caller may send this here."""
        raise NotImplementedError

    def data_received(self, chunk: bytes) -> None:
        """Take a piece; tornado calls this."""
        if self.refusal is not None or self.part is None:
            return
        try:
            if self.part.size + len(chunk) > self.service.settings.upload_bytes:
                self.refusal = self._too_large()
            else:
                self.part.write(chunk)
        except OSError as error:
            self.refusal = of_disk(error)

    def _too_large(self) -> HTTPError:
        return HTTPError(413, f"expected at most {self.service.settings.upload_mib} MiB, packed")

    def received(self) -> Part:
        """What has come.

        Raises:
            HTTPError: it was refused.
        """
        if self.refusal is not None or self.part is None:
            raise self.refusal or HTTPError(400, "expected an archive")
        self.is_whole = True
        return self.part

    def on_finish(self) -> None:
        """Forget what was not kept; tornado calls this."""
        self.end_upload()
        if self.part is not None:
            self.part.close()

    def on_connection_close(self) -> None:
        """Forget what has broken off; what is whole gets its receipt, and is there when it is sent again."""
        if not self.is_whole:
            self.on_finish()


@stream_request_body
class HandingIn(Sending):
    """A student hands in."""

    async def require_role(self, *place: str) -> None:
        """Students of the course, for what is out and still taken."""
        course, name = place
        self.require_student(course)
        attempt = self.request.headers.get("Idempotency-Key")
        if attempt is not None and not ATTEMPT.fullmatch(attempt):
            raise HTTPError(400, "Idempotency-Key: expected 1 to 64 printable characters of ASCII")
        now = self.service.clock()
        assignment = await self.run(self.service.records.assignment, course, name)
        await self.run(self.service.require_open, assignment, now)
        self.begin_upload()

    async def post(self, course: str, name: str) -> None:
        """Take it and give a receipt."""
        received = self.service.clock()  # here: a student does not wait for others at the cost of being late
        attempt = self.request.headers.get("Idempotency-Key")
        part, student = self.received(), self.who.name
        found, is_new = await self.run(self.service.hand_in, part, course, name, student, attempt, received)
        self.audit("handed in" if is_new else "handed in before", receipt=found.id, sha256=found.sha256)
        self.set_status(201 if is_new else 200)
        self.set_header("Location", f"{self.settings['prefix']}/api/submissions/{found.id}")
        self.finish(found.as_json())


@stream_request_body
class Releasing(Sending, OneAssignment):
    """Staff let an assignment out."""

    async def require_role(self, *place: str) -> None:
        """Staff of the course."""
        course, name = place
        self.require_staff(course)
        if not NAME.fullmatch(name):
            raise HTTPError(400, f"assignment {name[:60]!r}: expected letters, digits and _ . @ + - and blanks")
        if (size := len(quote(name, safe=""))) > NAME_BYTES:  # a folder of the store has this name
            reason = f"expected at most {NAME_BYTES} bytes as part of an address, got {size}. Shorten the name"
            raise HTTPError(400, f"assignment {name[:60]!r}: {reason}")
        time_of(self.get_query_argument("due", ""))

    async def put(self, course: str, name: str) -> None:
        """Keep its files, and show it to students."""
        part, records = self.received(), self.service.records
        due, force = time_of(self.get_query_argument("due", "")), "If-None-Match" not in self.request.headers
        kept = await self.run(self.service.keep, part, "assignments", course, name)
        found = await self.run(records.release, course, name, kept, due, force=force)
        self.audit("released", sha256=found.sha256)
        self.finish(found.as_json())


@stream_request_body
class GivingFeedback(Sending, FeedbackFiles):
    """Staff give feedback on a submission."""

    async def require_role(self, *place: str) -> None:
        """Staff of the submission's course."""
        self.found = await self.run(self.service.records.submission, place[0])
        self.require_staff(self.found.course)

    async def put(self, receipt: str) -> None:
        """Keep the pages."""
        kept, pages = await self.run(keep_pages, self.service, self.received(), receipt)
        await self.run(self.service.records.set_feedback, receipt, kept, pages)
        self.audit("feedback released", receipt=receipt)
        self.finish({"feedback": pages})


def keep_pages(service: Service, part: Part, receipt: str) -> tuple[Kept, dict[str, str]]:
    """Give feedback to the store.

    Returns:
        It, and the content hash of each page by its name.

    Raises:
        BadArchive: it holds anything but pages.
    """
    kept, pages = service.keep(part, "feedback", receipt), dict[str, str]()
    with service.store.open(kept.stored) as file:
        for path, content in read_archive(file, service.settings.archive):
            if content is None or not PAGE.fullmatch(str(path)):
                raise BadArchive(f"expected pages of feedback, got {str(path)!r}")
            digest = hashlib.sha256()
            for piece in content.pieces():
                digest.update(piece)
            pages[path.stem] = digest.hexdigest()
    return kept, pages
