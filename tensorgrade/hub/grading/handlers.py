"""formgrader's pages behind the hub's sign-in, without what cannot be made safe.

What is not named here is not served. Left out or replaced:

* a folder in the address whose settings would be read: answered 400;
* commands in the server's own process: they run as `jobs`;
* files of a submission as pages of this address: they are pictures, our own report, or downloads.
"""

from __future__ import annotations

import asyncio
import functools
import html
import json
import logging
import os
import re
import secrets
import sys
from pathlib import Path
from typing import Any

from jupyterhub.services.auth import HubOAuthCallbackHandler, HubOAuthenticated
from nbgrader.api import MissingEntry
from nbgrader.apps.api import NbGraderAPI
from nbgrader.server_extensions.formgrader import apihandlers, handlers
from nbgrader.server_extensions.formgrader.base import BaseApiHandler, BaseHandler
from tornado.web import HTTPError, RedirectHandler, StaticFileHandler, authenticated, stream_request_body

from tensorgrade.errors import ExchangeError
from tensorgrade.hub.grading.jobs import Job, Jobs
from tensorgrade.hub.grading.templates import BASE, NONCE, content_policy

# Names stand in scripts and in patterns of files: no quote, no backslash, no slash, nothing that a glob knows.
NAME = re.compile(r"\w[\w.@+ -]{0,127}")
HEARTBEAT_SECONDS = 20.0
FILE_BYTES = 32 * 1024 * 1024
COMMENT_BYTES = 1024 * 1024
IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif"}
REPORT = "staff-report.html"
FILE_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
ERROR = """<!doctype html><html lang="en"><title>{title}</title>
<body style="font-family:sans-serif;max-width:40em;margin:4em auto"><h1>{title}</h1><p>{text}</p></body></html>"""


class Guarded(HubOAuthenticated):  # type: ignore[misc]  # JupyterHub's
    """What every page has: the hub's sign-in, checked names, a strict policy, fresh data."""

    @property
    def content_security_policy(self) -> str:
        """For one answer."""
        if not hasattr(self, "_nonce"):
            self._nonce = secrets.token_urlsafe(18)
        return content_policy(self._nonce, self.settings["handler_hashes"])

    async def prepare(self) -> None:
        """Check who asks and for what; tornado calls this."""
        for name in (*self.path_args, *(v for k, v in self.path_kwargs.items() if k != "path")):
            if name is not None and not NAME.fullmatch(name):
                raise HTTPError(404)
        if self.request.arguments.keys() & {"path"}:
            raise HTTPError(400, "This page reads no folder from its address.")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "same-origin")
        NONCE.set(self._nonce)
        BASE.set(self.base_url.rstrip("/"))
        await self.hub_auth.get_user(self, sync=False)  # kept on the handler: what asks again does not block

    @property
    def api(self) -> NbGraderAPI:
        """nbgrader's, with the settings that were read at the start."""
        api = NbGraderAPI(self.coursedir, self.authenticator, parent=self.settings["nbgrader_formgrader"])
        api.log_level = logging.WARNING  # it lists every assignment at every look
        return api

    def on_finish(self) -> None:
        """Forget what was read: a job may change the database."""
        gradebook = self.settings["nbgrader_gradebook"]
        if gradebook is not None:
            gradebook.db.rollback()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """A short page with the reason."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        reason = error.log_message if isinstance(error, HTTPError) and status_code < 500 else None
        title = f"{status_code}: {self._reason}"
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(ERROR.format(title=html.escape(title), text=html.escape(reason or "")))


class Start(Guarded, BaseHandler):  # type: ignore[misc]
    """The address of the page."""

    @authenticated  # type: ignore[untyped-decorator]
    def get(self) -> None:
        """Go to the assignments."""
        self.redirect(f"{self.base_url}/formgrader/manage_assignments")


class SubmissionFile(Guarded, BaseHandler):  # type: ignore[misc]
    """A file beside an autograded notebook: students may have written it."""

    @authenticated  # type: ignore[untyped-decorator]
    def get(self, submission_id: str, path: str) -> None:
        """Send a picture or our report to look at, anything else to keep."""
        file = self._file(submission_id, path)
        self.set_header("Content-Security-Policy", FILE_POLICY)
        if file.name == REPORT:
            self.set_header("Content-Type", "text/html; charset=utf-8")
        elif kind := IMAGES.get(file.suffix.lower()):
            self.set_header("Content-Type", kind)
        else:
            self.set_header("Content-Type", "application/octet-stream")
            self.set_attachment_header(file.name)
        self.finish(file.read_bytes())

    def _file(self, submission_id: str, path: str) -> Path:
        try:
            submission = self.gradebook.find_submission_notebook_by_id(submission_id)
        except MissingEntry as error:
            raise HTTPError(404) from error
        student, assignment = submission.student.id, submission.assignment.assignment.name
        folder = Path(self.coursedir.root, "autograded", student, assignment).resolve()
        file = (folder / path).resolve()
        if not file.is_relative_to(folder) or not file.is_file() or file.stat().st_size > FILE_BYTES:
            raise HTTPError(404)
        return file


class JobHandler(Guarded, BaseApiHandler):  # type: ignore[misc]
    """A button behind which a command runs; others are answered meanwhile."""

    def initialize(self, action: str) -> None:
        """Learn which command; tornado calls this."""
        self.action = action

    @authenticated  # type: ignore[untyped-decorator]
    async def post(self, assignment: str, student: str = "") -> None:
        """Run the command and answer as formgrader's scripts expect."""
        if not (Path(self.coursedir.root) / "source" / assignment).is_dir():
            raise HTTPError(404)
        jobs: Jobs = self.settings["jobs"]
        job = jobs.ask(self.action, assignment, student)
        await self._wait(job)
        self.finish(json.dumps({"success": job.state == "done", "log": job.log, "error": ""}))

    async def _wait(self, job: Job) -> None:
        """Until it has ended; a blank now and then keeps what is between here and the browser from giving up."""
        while not job.ended.is_set():
            try:
                await asyncio.wait_for(job.ended.wait(), HEARTBEAT_SECONDS)
            except TimeoutError:
                self.write(" ")
                await self.flush()


class AssignmentSettings(Guarded, apihandlers.AssignmentHandler):  # type: ignore[misc]
    """The due date of an assignment, which the exchange has to know too."""

    async def put(self, assignment: str) -> None:
        """Write it down here, then there."""
        super().put(assignment)
        if not os.environ.get("TENSORGRADE_EXCHANGE", "").startswith("http"):
            return
        from tensorgrade.hub.exchange.for_staff import push_due_date  # the directory exchange needs none of it

        due = self.gradebook.find_assignment(assignment).duedate
        push = functools.partial(push_due_date, self.coursedir.course_id, assignment, due)
        try:
            await asyncio.get_running_loop().run_in_executor(None, push)
        except ExchangeError as error:
            raise HTTPError(503, f"The due date is changed here, and not for students: {error}") from error


@stream_request_body
class Comment(Guarded, apihandlers.CommentHandler):  # type: ignore[misc]
    """A comment on a submission: the one thing here of which people write much.

    Of nobody but staff is so much held in memory (tests/test_grading_page.py, "nobody else"), and what is too
    much comes to its end and is forgotten: the page would not hear why of a connection that is cut.
    """

    is_prepared = False

    def check_xsrf_cookie(self) -> None:
        """Tornado asks before all else, when to refuse would cut off what is still being sent: `prepare` asks again."""
        if self.is_prepared:
            super().check_xsrf_cookie()

    async def prepare(self) -> None:
        """Find out who asks before more than a little is taken; tornado calls this."""
        self.is_prepared, self.text, self.size = True, bytearray(), 0
        await super().prepare()
        if self.get_current_user() is not None:
            self.request.connection.set_max_body_size(sys.maxsize)  # within the time of a request

    def data_received(self, chunk: bytes) -> None:
        """Take a piece; tornado calls this."""
        self.size += len(chunk)
        if self.size <= COMMENT_BYTES:
            self.text += chunk

    def put(self, comment: str) -> None:
        """Write it down.

        Raises:
            HTTPError: 413, it is too long.
        """
        self.check_xsrf_cookie()
        if self.size > COMMENT_BYTES:
            raise HTTPError(413, f"expected a comment of at most {COMMENT_BYTES // 1024} KiB")
        self.request.body = bytes(self.text)
        super().put(comment)


class JobsHandler(Guarded, BaseApiHandler):  # type: ignore[misc]
    """What runs and how much waits."""

    @authenticated  # type: ignore[untyped-decorator]
    def get(self) -> None:
        """For the line at the foot of every page."""
        self.write(self.settings["jobs"].as_json())


class NotFound(Guarded, BaseHandler):  # type: ignore[misc]
    """All other addresses."""

    async def prepare(self) -> None:
        """Say no; tornado calls this."""
        raise HTTPError(404)


PAGES = {
    handlers.ManageAssignmentsHandler, handlers.ManageSubmissionsHandler, handlers.GradebookAssignmentsHandler,
    handlers.GradebookNotebooksHandler, handlers.GradebookNotebookSubmissionsHandler, handlers.SubmissionHandler,
    handlers.SubmissionNavigationHandler, handlers.ManageStudentsHandler, handlers.ManageStudentsAssignmentsHandler,
    handlers.ManageStudentNotebookSubmissionsHandler,
    apihandlers.StatusHandler, apihandlers.AssignmentCollectionHandler,
    apihandlers.NotebookCollectionHandler, apihandlers.SubmissionCollectionHandler, apihandlers.SubmissionHandler,
    apihandlers.SubmittedNotebookCollectionHandler, apihandlers.FlagSubmissionHandler,
    apihandlers.GradeCollectionHandler, apihandlers.GradeHandler, apihandlers.CommentCollectionHandler,
    apihandlers.StudentCollectionHandler, apihandlers.StudentHandler,
    apihandlers.StudentSubmissionCollectionHandler, apihandlers.StudentNotebookSubmissionCollectionHandler,
}  # fmt: skip
JOBS = {
    apihandlers.AssignHandler: "assign",
    apihandlers.UnReleaseHandler: "unrelease",
    apihandlers.ReleaseHandler: "release",
    apihandlers.CollectHandler: "collect",
    apihandlers.AutogradeHandler: "autograde",
    apihandlers.GenerateAllFeedbackHandler: "generate_feedback",
    apihandlers.GenerateFeedbackHandler: "generate_feedback",
    apihandlers.ReleaseAllFeedbackHandler: "release_feedback",
    apihandlers.ReleaseFeedbackHandler: "release_feedback",
}


def all_handlers(prefix: str, mathjax: str) -> list[tuple[Any, ...]]:
    """Patterns and handlers of the whole page.

    Args:
        prefix: the address of the service, without a slash at its end.
        mathjax: the folder of MathJax.
    """
    page = str(Path(__file__).parent / "static")
    rules: list[tuple[Any, ...]] = [
        (r"/oauth_callback", HubOAuthCallbackHandler),
        (r"", RedirectHandler, {"url": f"{prefix}/"}),  # cookies are for what is below
        (r"/", Start),
        (r"/formgrader/?", Start),
        (r"/formgrader/static/(.*)", StaticFileHandler, {"path": handlers.static_path}),
        (r"/formgrader/mathjax/(.*)", StaticFileHandler, {"path": mathjax}),
        (r"/formgrader/page/(.*)", StaticFileHandler, {"path": page}),
        (r"/formgrader/api/jobs", JobsHandler),
        (r"/formgrader/api/submissions/([^/]+)/autograde", JobHandler, {"action": "autograde"}),
    ]
    for pattern, handler, *_ in (*handlers.default_handlers, *apihandlers.default_handlers):
        if handler in JOBS:
            rules.append((pattern, JobHandler, {"action": JOBS[handler]}))
        elif handler is apihandlers.AssignmentHandler:
            rules.append((pattern, AssignmentSettings))
        elif handler is apihandlers.CommentHandler:
            rules.append((pattern, Comment))
        elif handler in PAGES:
            rules.append((pattern, type(handler.__name__, (Guarded, handler), {})))
    rules.append((r"/formgrader/submissions/(?P<submission_id>[^/]+)/(?P<path>.+)", SubmissionFile))
    return [(prefix + pattern, *rest) for pattern, *rest in rules]
