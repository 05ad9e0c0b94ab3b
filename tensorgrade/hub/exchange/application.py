"""Puts the exchange together: settings, database, store, and all addresses."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from tornado.httpclient import AsyncHTTPClient
from tornado.web import Application

from tensorgrade.hub.courses import read_courses
from tensorgrade.hub.exchange.callers import Callers
from tensorgrade.hub.exchange.database import Database
from tensorgrade.hub.exchange.handlers import Assignments, Files, Health, NotFound, Receipt, Submissions
from tensorgrade.hub.exchange.pages import page_rules, page_settings
from tensorgrade.hub.exchange.records import Quota, Records
from tensorgrade.hub.exchange.sending import GivingFeedback, HandingIn, Releasing
from tensorgrade.hub.exchange.service import Audit, Service
from tensorgrade.hub.exchange.settings import MIB, ExchangeSettings, read_exchange
from tensorgrade.hub.exchange.storage import FolderStore

HUB_SECONDS = 60
HUB_AT_ONCE = 20

log = logging.getLogger("tensorgrade.exchange")


def load(config: Path, state: Path, prefix: str) -> Application:
    """The exchange, ready to answer.

    Args:
        config: the folder with ``courses.toml`` and ``exchange.toml``.
        state: the folder of the database and of everything that is handed in.
        prefix: the address of the service, without a slash at its end.

    Raises:
        UsageError: a file is not as it should be.
    """
    # Whoever hands in is looked up at the hub: at a deadline, everybody at once.
    AsyncHTTPClient.configure(None, max_clients=HUB_AT_ONCE, defaults={"request_timeout": HUB_SECONDS})
    return make_application(open_service(config, state), prefix, page_settings(state))


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


def make_application(service: Service, prefix: str, pages: dict[str, Any]) -> Application:
    """All addresses.

    Args:
        service: the exchange behind them.
        prefix: the address of the service, without a slash at its end.
        pages: what the pages need.
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
        *page_rules(),
    ]
    return Application(
        [(prefix + pattern, handler) for pattern, handler in rules],
        default_handler_class=NotFound,
        service=service,
        prefix=prefix,
        **pages,
        log_function=lambda handler: None,  # what happened stands in audit.log
    )
