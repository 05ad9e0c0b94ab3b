"""The process of a grading page: it listens at once, and loads nbgrader when somebody asks, or the hub has started."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler

from tensorgrade.course import Course
from tensorgrade.errors import TensorgradeError, UsageError
from tensorgrade.hub.applications import Current
from tensorgrade.hub.listening import listen

# What the hub tells its services; without any of them, whoever asks could be let in.
NEEDED = (
    "JUPYTERHUB_API_TOKEN",
    "JUPYTERHUB_API_URL",
    "JUPYTERHUB_CLIENT_ID",
    "JUPYTERHUB_OAUTH_ACCESS_SCOPES",
    "JUPYTERHUB_SERVICE_PREFIX",
    "JUPYTERHUB_SERVICE_URL",
)
# What commands get of this process's environment: no token is among it; see `jobs` for those that need one.
PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "JUPYTER_CONFIG_PATH",
    "JUPYTER_RUNTIME_DIR",
    "TENSORGRADE_EXCHANGE",
    "TENSORGRADE_EXCHANGE_NAME",
)

TOKEN = "JUPYTERHUB_API_TOKEN"  # noqa: S105 - the name of a variable
# Tornado holds a body in memory before anybody knows who sends it; formgrader's are points. For
# comments of staff there is more room, see `handlers.Comment`.
BODY_BYTES, BODY_SECONDS = 64 * 1024, 30
SECONDS_UNASKED = 20.0  # with many courses, loading all at once would hold up the hub's start

log = logging.getLogger("tensorgrade.grading")


def serve(folder: Path, name: str) -> None:
    """Serve the grading page of a course until the process is told to stop.

    Args:
        folder: the course directory.
        name: what the hub calls the course.

    Raises:
        UsageError: this was not started by a hub.
    """
    if missing := [variable for variable in NEEDED if not os.environ.get(variable)]:
        raise UsageError(f"{missing[0]} is not set: the grading page is started by the hub, see `tensorgrade hub`")
    logging.basicConfig(level=logging.INFO, format=f"[{name} %(levelname)s] %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # every look at a page asks the exchange
    asyncio.run(_serve(folder, name))


async def _serve(folder: Path, name: str) -> None:
    prefix = os.environ["JUPYTERHUB_SERVICE_PREFIX"].rstrip("/")
    asked, ready, stopped = asyncio.Event(), asyncio.Event(), asyncio.Event()
    first = {"prefix": prefix, "asked": asked, "ready": ready}
    limits = {"max_body_size": BODY_BYTES, "body_timeout": BODY_SECONDS}
    current = Current(Application([(r".*", Starting, first)]))
    server = HTTPServer(current, xheaders=True, **limits)
    listen(server, os.environ["JUPYTERHUB_SERVICE_URL"])
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await _first_of(asked, stopped)
    try:
        application = await loop.run_in_executor(None, load, folder, name, prefix)
    except TensorgradeError as error:
        log.error("%s", error)
        application = Application([(r".*", Broken, {"reason": str(error)})])
    current.application = application
    ready.set()
    log.info("the grading page is ready")
    await stopped.wait()
    if (jobs := application.settings.get("jobs")) is not None:
        jobs.stop()


async def _first_of(*events: asyncio.Event) -> None:
    """Wait until there is something to do, or for so long that the hub will have started."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, timeout=SECONDS_UNASKED, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


class Starting(RequestHandler):  # type: ignore[misc]  # tornado's
    """What is asked for before nbgrader is there: wait, then ask again."""

    def initialize(self, prefix: str, asked: asyncio.Event, ready: asyncio.Event) -> None:
        """Learn what to wait for; tornado calls this."""
        self.prefix, self.asked, self.ready = prefix, asked, ready

    async def get(self) -> None:
        """The hub only wants to know whether somebody listens."""
        if self.request.path.rstrip("/") == self.prefix:
            self.redirect(f"{self.prefix}/formgrader")
            return
        self.asked.set()
        await self.ready.wait()
        self.redirect(self.request.uri or self.prefix)


class Broken(RequestHandler):  # type: ignore[misc]  # tornado's
    """The answer of a page whose course cannot be opened."""

    def initialize(self, reason: str) -> None:
        """Learn why; tornado calls this."""
        self.reason = reason

    def prepare(self) -> None:
        """Say where to look: the reason holds paths, so it is in the hub's log only; tornado calls this."""
        raise HTTPError(503, reason="The course directory cannot be used; the reason is in the hub's log")


def load(folder: Path, name: str, prefix: str) -> Any:
    """The pages, and nbgrader behind them with the settings of the course.

    Raises:
        UsageError: the course cannot be used, or is called differently by its own settings.
    """
    import jupyter_server_mathjax  # here and below: all this takes seconds, and the hub waits for somebody to listen

    from tensorgrade.hub.grading.handlers import NotFound, all_handlers
    from tensorgrade.hub.grading.jobs import Jobs

    course = Course.at(folder)
    app = course.start_nbgrader(log.getChild("nbgrader"))
    if app.coursedir.course_id != name:
        raise UsageError(
            f"{course.root / 'nbgrader_config.py'}: c.CourseDirectory.course_id is {app.coursedir.course_id!r}; "
            f"courses.toml calls the course {name!r}. Use one name."
        )
    environment = {variable: os.environ[variable] for variable in PASSED_ON if variable in os.environ}
    mathjax = str(Path(jupyter_server_mathjax.__file__).parent / "static")
    return Application(
        all_handlers(prefix, mathjax),
        default_handler_class=NotFound,
        base_url=f"{prefix}/",
        cookie_secret=secrets.token_bytes(32),
        xsrf_cookies=True,
        login_url=f"{prefix}/",
        log_function=_log,
        jobs=Jobs(course.root, environment, {TOKEN: os.environ[TOKEN]}),
        **_formgrader_settings(app, name),
    )


def _log(handler: RequestHandler) -> None:
    """Write down who did what; not what pages ask of themselves."""
    status, method = handler.get_status(), handler.request.method
    if status >= 400 or method != "GET":
        user = getattr(handler, "_hub_auth_user_cache", None) or {}
        log.info("%s %s %s %s", status, method, handler.request.path, user.get("name", "nobody"))


def _formgrader_settings(app: Any, name: str) -> dict[str, Any]:
    """What formgrader's handlers look for in their application."""
    from jinja2 import Environment, FileSystemLoader
    from nbgrader.auth import Authenticator
    from nbgrader.server_extensions.formgrader.handlers import template_path

    from tensorgrade.gradebook import PAGE_FILTERS
    from tensorgrade.hub.grading.exporter import SubmissionPage
    from tensorgrade.hub.grading.templates import handler_hashes, with_own_scripts

    app.debug, app.url_prefix = False, f"course-{name}"
    config = app.config.copy()
    config.HTMLExporter.template_name = "formgrade"
    config.HTMLExporter.extra_template_basedirs = [template_path]
    config.HTMLExporter.filters = dict(PAGE_FILTERS)
    templates = Environment(loader=FileSystemLoader([template_path]), autoescape=True)  # students chose some names
    return {
        "nbgrader_formgrader": app,
        "nbgrader_authenticator": Authenticator(parent=app),
        "nbgrader_exporter": SubmissionPage(config=config),
        "nbgrader_gradebook": None,
        "nbgrader_jinja2_env": with_own_scripts(templates),
        "nbgrader_bad_setup": False,
        "handler_hashes": handler_hashes(Path(template_path)),
    }
