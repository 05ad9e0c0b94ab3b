"""The pages of the exchange: a student hands in from a browser, without a running server, and reads the feedback."""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from jupyterhub.services.auth import HubOAuth, HubOAuthCallbackHandler, HubOAuthenticated
from tornado.web import HTTPError, stream_request_body

from tensorgrade.hub.exchange.archive import BadArchive, read_archive
from tensorgrade.hub.exchange.callers import REMEMBERED_SECONDS
from tensorgrade.hub.exchange.form import Form
from tensorgrade.hub.exchange.handlers import Api, of_disk
from tensorgrade.hub.exchange.nouns import Refused, Submission, latest
from tensorgrade.hub.exchange.service import Service
from tensorgrade.hub.exchange.storage import Part

# No script at all; nothing from elsewhere; a form that goes nowhere else; in nobody's frame (ref: CSP Level 3).
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
FEEDBACK_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
TEMPLATES = (Path(__file__).parent / "templates", Path(__file__).parents[2] / "reports" / "templates")
PAGE_BYTES = 32 * 1024**2


class WebPage(HubOAuthenticated, Api):  # type: ignore[misc]  # JupyterHub's
    """What every page has: the hub's sign-in, a strict policy, and errors that can be read."""

    async def prepare(self) -> None:
        """Find out who asks; tornado calls this."""
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("X-Content-Type-Options", "nosniff")
        await self.hub_auth.get_user(self, sync=False)  # kept on the handler: what asks again does not block
        user = self.get_current_user()
        if user is None:
            if self.request.method not in ("GET", "HEAD"):
                raise HTTPError(403, "You are not signed in any more. Open the page again, then hand in again.")
            self.redirect(self.get_login_url())
            return
        self.caller = self.service.callers.caller(user)
        if self.caller is None:
            raise HTTPError(403, "The exchange is not for you.")

    def check_xsrf_cookie(self) -> None:
        """Here a cookie says who asks, so the form has to carry what only our own page knows."""
        self.hub_auth.check_xsrf_cookie(self)

    def render_page(self, name: str, **values: Any) -> None:
        """Answer with a page."""
        environment: Environment = self.settings["templates"]
        who = self.caller.name if self.caller else "nobody"
        more = {"prefix": self.settings["prefix"], "who": who, **values}
        self.finish(environment.get_template(f"{name}.html.j2").render(more))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """The reason, as a page, and a line in the log."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        reason = (error.log_message if isinstance(error, HTTPError) else None) or self._reason
        self.audit("refused" if status_code < 500 else "failed", status=status_code, reason=reason)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.render_page("error", status=status_code, title=self._reason, reason=reason)


class Start(WebPage):
    """The address of the exchange."""

    async def get(self) -> None:
        """Assignments and due dates of all one's courses."""
        out = await self.run(self.service.records.assignments, self.who.courses)
        own = latest(await self.run(self.service.records.submissions, student=self.who.name))
        rows = [
            (course, [(one, own.get((name, one.name, self.who.name))) for one in out if one.course == name])
            for name, course in self.service.courses.items()
            if name in self.who.courses
        ]
        self.render_page("start", courses=rows, staff_of=self.who.staff_of)


@stream_request_body
class AssignmentPage(WebPage):
    """One assignment: what is expected, what was handed in, and the form."""

    form: Form | None = None
    refusal: BadArchive | HTTPError | None = None
    not_let_in: HTTPError | None = None
    is_prepared = False
    size = 0
    is_whole = False

    def check_xsrf_cookie(self) -> None:
        """Tornado asks before all else, when to refuse would cut off what is still being sent: `prepare` asks again."""
        if self.is_prepared:
            super().check_xsrf_cookie()

    async def prepare(self) -> None:
        """Who asks, before a byte is taken; tornado calls this."""
        self.is_prepared = True
        if self.request.method != "POST":
            await super().prepare()
            return
        try:
            self.check_xsrf_cookie()
            await super().prepare()
            self.require_student(self.path_args[0])
            self.begin_upload()
        except HTTPError as error:
            self.not_let_in = error
        self.bound_body(is_allowed=self.not_let_in is None)
        if self.not_let_in is None:
            self._begin()

    def _begin(self) -> None:
        try:
            kind, most = self.request.headers.get("Content-Type", ""), self.service.settings.files
            self.form = Form(kind, self.service.store.incoming, most)
        except BadArchive as error:
            self.refusal = error

    def data_received(self, chunk: bytes) -> None:
        """Take a piece; tornado calls this."""
        self.size += len(chunk)
        if self.refusal or self.form is None:
            return
        if self.size > self.service.settings.upload_bytes:
            most = self.service.settings.upload_mib
            self.refusal = BadArchive(f"these files are larger than {most} MiB together")
            return
        try:
            self.form.feed(chunk)
        except BadArchive as error:
            self.refusal = error
        except OSError as error:
            self.refusal = of_disk(error)

    async def get(self, course: str, name: str) -> None:
        """Show it."""
        self.require_member(course)
        await self._show(course, name, "")

    async def post(self, course: str, name: str) -> None:
        """Hand in, and show the receipt."""
        received = self.service.clock()
        if self.not_let_in is not None:
            raise self.not_let_in
        self.is_whole = True
        try:
            found, is_new = await self.run(self._hand_in, course, name, received)
        except HTTPError as error:
            self.set_status(error.status_code)
            event, problem = "failed", f"Nothing was handed in: {error.log_message}"
            if isinstance(error.__cause__, (Refused, BadArchive)):
                event, problem = "refused", str(error.__cause__)
            self.audit(event, status=self.get_status(), reason=problem)
            await self._show(course, name, problem)
            return
        self.audit("handed in" if is_new else "handed in before", receipt=found.id, sha256=found.sha256)
        self.redirect(f"{self.settings['prefix']}/receipts/{found.id}", status=303)

    def _hand_in(self, course: str, name: str, received: datetime) -> tuple[Submission, bool]:
        if self.refusal is not None or self.form is None:
            raise self.refusal or BadArchive("choose at least one file")
        expected = {f"{one}.ipynb" for one in self.service.records.assignment(course, name).notebooks}
        if missing := sorted(expected - set(self.form.names)):
            got = ", ".join(self.form.names) or "nothing"
            raise BadArchive(
                f"{', '.join(missing)} is missing; you have chosen {got}. Rename your file, or choose it too"
            )
        part: Part = self.form.packed()
        try:
            return self.service.hand_in(part, course, name, self.who.name, None, received)
        finally:
            part.close()

    async def _show(self, course: str, name: str, problem: str) -> None:
        found = await self.run(self.service.records.assignment, course, name)
        own = await self.run(self.service.records.submissions, course=course, assignment=name, student=self.who.name)
        self.render_page(
            "assignment", assignment=found, course=self.service.courses[course], submissions=own, problem=problem,
            now=self.service.clock(), place=self.request.path, xsrf=self.xsrf_token.decode(),
            is_student=course in self.who.student_of, upload_mib=self.service.settings.upload_mib,
        )  # fmt: skip

    def on_finish(self) -> None:
        """Forget the files; tornado calls this."""
        self.end_upload()
        if self.form is not None:
            self.form.close()

    def on_connection_close(self) -> None:
        """Forget what has broken off; tornado calls this."""
        if not self.is_whole:
            self.on_finish()


class AssignmentFiles(WebPage):
    """The files of an assignment."""

    async def get(self, course: str, name: str) -> None:
        """To download."""
        self.require_member(course)
        found = await self.run(self.service.records.assignment, course, name)
        await self.send(await self.run(self.service.store.open, found.stored), found.name)


class ReceiptPage(WebPage):
    """One submission."""

    async def get(self, receipt: str, more: str | None = None) -> None:
        """The receipt, to read or to keep, or the files."""
        one = await self.own_submission(receipt)
        if more == "files":
            stored = await self.run(one.require_files)
            await self.send(await self.run(self.service.store.open, stored), f"{one.assignment}-{one.number}")
        elif more == "receipt.json":
            self.finish(one.as_json())
        else:
            self.render_page("receipt", one=one, here=f"{self.settings['prefix']}/receipts/{one.id}")


class FeedbackPage(WebPage):
    """A page of feedback. A student has written parts of it: it runs nothing and loads nothing."""

    async def get(self, receipt: str, name: str) -> None:
        """Show it."""
        one = await self.own_submission(receipt)
        stored = await self.run(one.require_feedback)
        if name not in (one.pages or {}):
            raise HTTPError(404, "There is no such feedback yet.")
        self.set_header("Content-Security-Policy", FEEDBACK_POLICY)
        self.finish(await self.run(page_of, self.service, stored, f"{name}.html"))


def page_of(service: Service, stored: str, name: str) -> bytes:
    """One page of a feedback that was kept.

    Raises:
        Refused: 404, it has no such page.
    """
    with service.store.open(stored) as file:
        for path, content in read_archive(file, service.settings.archive):
            if content is not None:
                text = b"".join(content.pieces())
                if str(path) == name:
                    return text
    raise Refused(404, "there is no such page")


def late(one: Submission) -> str:
    """How late a submission is, in words."""
    if not one.seconds_late:
        return "no"
    minutes = round(one.seconds_late / 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    return f"{days} d {hours} h {minutes} min" if days else f"{hours} h {minutes} min"


def page_settings(state: Path) -> dict[str, Any]:
    """What the pages need in the application's settings; people stay signed in when the exchange starts again."""
    HubOAuth.instance(cache_max_age=int(REMEMBERED_SECONDS))
    key = state / "cookie_secret"
    if not key.exists():
        key.write_bytes(secrets.token_bytes(32))  # for the service's account only: see the umask of the command
    environment = Environment(
        loader=ChoiceLoader([FileSystemLoader(place) for place in TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(late=late, time=lambda time: datetime.strftime(time, "%Y-%m-%d %H:%M:%S"))
    return {"templates": environment, "cookie_secret": key.read_bytes(), "xsrf_cookies": True}


def page_rules() -> list[tuple[str, Any]]:
    """The addresses of the pages."""
    place, receipt = r"/courses/([^/]+)/([^/]+)", r"/receipts/([0-9a-f]{32})"
    return [
        (r"/", Start),
        (r"/oauth_callback", HubOAuthCallbackHandler),
        (place, AssignmentPage),
        (place + r"/files", AssignmentFiles),
        (receipt, ReceiptPage),
        (receipt + r"/(files|receipt\.json)", ReceiptPage),
        (receipt + r"/feedback/([^/]+)", FeedbackPage),
    ]
