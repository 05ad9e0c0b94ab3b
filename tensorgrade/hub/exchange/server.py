"""The process of the exchange: started by the hub, which starts it again if it ends."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.web import Application

from tensorgrade.errors import UsageError
from tensorgrade.hub.courses import read_courses
from tensorgrade.hub.exchange.callers import Callers
from tensorgrade.hub.exchange.database import Database
from tensorgrade.hub.exchange.handlers import Assignments, Files, Health, NotFound, Receipt, Submissions
from tensorgrade.hub.exchange.records import Quota, Records
from tensorgrade.hub.exchange.sending import GivingFeedback, HandingIn, Releasing
from tensorgrade.hub.exchange.service import Audit, Service
from tensorgrade.hub.exchange.settings import MIB, ExchangeSettings, read_exchange
from tensorgrade.hub.exchange.storage import FolderStore

# What the hub tells its services; without any of them, whoever asks could be let in.
NEEDED = ("JUPYTERHUB_API_TOKEN", "JUPYTERHUB_API_URL", "JUPYTERHUB_SERVICE_NAME", "JUPYTERHUB_SERVICE_PREFIX",
          "JUPYTERHUB_SERVICE_URL")  # fmt: skip
HUB_SECONDS = 60
HUB_AT_ONCE = 20

log = logging.getLogger("tensorgrade.exchange")


def serve(config: Path, state: Path) -> None:
    """Serve the exchange until the process is told to stop.

    Args:
        config: the folder with ``courses.toml`` and ``exchange.toml``.
        state: the folder of the database and of everything that is handed in; nobody else opens it.

    Raises:
        UsageError: this was not started by a hub, a file is not as it should be, or another exchange runs there.
    """
    if missing := [variable for variable in NEEDED if not os.environ.get(variable)]:
        raise UsageError(f"{missing[0]} is not set: the exchange is started by the hub, see `tensorgrade hub`")
    logging.basicConfig(level=logging.INFO, format="[exchange %(levelname)s] %(message)s")
    os.umask(0o077)
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # two would sweep away each other's uploads
        except OSError as error:
            raise UsageError(f"{state}: another exchange runs here") from error
        service = open_service(config, state)
        asyncio.run(_serve(service))


def open_service(config: Path, state: Path) -> Service:
    """The exchange in a folder, its database up to date, without what an earlier one has left unfinished."""
    settings = read_exchange(config / "exchange.toml")
    courses = {course.name: course for course in read_courses(config / "courses.toml")}
    store, records = FolderStore(state), open_records(settings, state)
    scope = f"access:services!service={os.environ['JUPYTERHUB_SERVICE_NAME']}"
    callers = Callers(courses.values(), scope)
    service = Service(courses, settings, records, store, callers, Audit(state / "audit.log"))
    if left := service.sweep():
        log.warning("%d uploads without a receipt, of an exchange that was killed, were dropped", left)
    return service


def open_records(settings: ExchangeSettings, state: Path) -> Records:
    """The database, up to date."""
    database = Database(f"sqlite:///{state / 'exchange.sqlite'}")
    database.migrate()
    return Records(database, Quota(settings.submissions, settings.student_mib * MIB))


async def _serve(service: Service) -> None:
    # Whoever hands in is looked up at the hub: at a deadline, everybody at once.
    AsyncHTTPClient.configure(None, max_clients=HUB_AT_ONCE, defaults={"request_timeout": HUB_SECONDS})
    prefix, address = (
        os.environ["JUPYTERHUB_SERVICE_PREFIX"].rstrip("/"),
        urlparse(os.environ["JUPYTERHUB_SERVICE_URL"]),
    )
    seconds = service.settings.upload_seconds
    application = make_application(service, prefix)
    server = HTTPServer(application, xheaders=True, body_timeout=seconds, idle_connection_timeout=seconds)
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server.listen(address.port or 80, address.hostname or "127.0.0.1", backlog=1024)
    log.info("the exchange is ready")
    await stopped.wait()
    server.stop()
    service.close()


def make_application(service: Service, prefix: str) -> Application:
    """All addresses.

    Args:
        service: the exchange behind them.
        prefix: the address of the service, without a slash at its end.
    """
    one, receipt = r"/api/courses/([^/]+)/assignments/([^/]+)", r"/api/submissions/([0-9a-f]{32})"
    rules: list[tuple[str, Any]] = [
        (r"/health", Health),
        (r"/api/assignments", Assignments),
        (one, Releasing),
        (one + r"/submissions", HandingIn),
        (r"/api/submissions", Submissions),
        (receipt, Receipt),
        (receipt + r"/files", Files),
        (receipt + r"/feedback", GivingFeedback),
    ]
    return Application(
        [(prefix + pattern, handler) for pattern, handler in rules],
        default_handler_class=NotFound,
        service=service,
        prefix=prefix,
        log_function=lambda handler: None,  # what happened stands in audit.log
    )
