"""Puts the exchange together: settings, database, store, and all addresses."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from tornado.httpclient import AsyncHTTPClient
from tornado.web import Application, RequestHandler

from tensorgrade.errors import StorageError, UsageError
from tensorgrade.hub.courses import read_courses
from tensorgrade.hub.exchange.backup import DATABASE
from tensorgrade.hub.exchange.callers import Callers
from tensorgrade.hub.exchange.database import Database
from tensorgrade.hub.exchange.handlers import Assignments, Figures, Files, Health, NotFound, Receipt, Submissions
from tensorgrade.hub.exchange.nouns import Quota
from tensorgrade.hub.exchange.pages import page_rules, page_settings
from tensorgrade.hub.exchange.records import Records
from tensorgrade.hub.exchange.sending import GivingFeedback, HandingIn, Releasing
from tensorgrade.hub.exchange.service import AUDIT, Audit, Service
from tensorgrade.hub.exchange.settings import MIB, ExchangeSettings, read_exchange
from tensorgrade.hub.exchange.storage import FolderStore, Store

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
    seconds = {"connect_timeout": HUB_SECONDS, "request_timeout": HUB_SECONDS}  # the first one counts while they wait
    AsyncHTTPClient.configure(None, max_clients=HUB_AT_ONCE, defaults=seconds)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    return make_application(open_service(config, state), prefix, page_settings(state))


def open_service(config: Path, state: Path) -> Service:
    """The exchange in a folder, its database up to date, without what an earlier one has left unfinished."""
    settings = read_exchange(config / "exchange.toml")
    courses = {course.name: course for course in read_courses(config / "courses.toml")}
    store, records = open_store(settings, config, state), open_records(settings, config, state)
    store.clear_incoming()
    scope = f"access:services!service={os.environ['JUPYTERHUB_SERVICE_NAME']}"
    callers = Callers(courses.values(), scope)
    service = Service(courses, settings, records, store, callers, Audit(state / AUDIT))
    try:
        store.check()
        if left := service.sweep():
            log.warning("%d uploads without a receipt, of an exchange that was killed, were moved to orphans", left)
    except StorageError as error:  # it may come back; until then whoever asks is told to come again
        log.warning("%s", error)
    except BaseException:
        service.close()
        raise
    return service


def open_store(settings: ExchangeSettings, config: Path, state: Path) -> Store:
    """The store of all bytes.

    Raises:
        UsageError: the file that names the bucket is not as it should be, or what reads it is not installed.
    """
    if not settings.store_file:
        return FolderStore(state)
    try:
        from tensorgrade.hub.exchange.object_store import S3Store, read_bucket  # an extra of its own
    except ModuleNotFoundError as error:
        raise UsageError(f"store_file: {error.name} is missing. pip install 'tensorgrade[s3]'") from error
    return S3Store(state, read_bucket(config / settings.store_file))


def open_records(settings: ExchangeSettings, config: Path, state: Path) -> Records:
    """The database, up to date.

    Raises:
        UsageError: the file with its address cannot be read, or others can read it too.
    """
    database = Database(_database_url(config / settings.database_file) or f"sqlite:///{state / DATABASE}")
    database.migrate()
    return Records(database, Quota(settings.submissions, settings.student_mib * MIB))


def _database_url(file: Path) -> str:
    """The address in a file that is a secret; empty: there is no such file."""
    if file.is_dir():
        return ""
    try:
        if file.stat().st_mode & 0o077:
            raise UsageError(f"{file.name}: others may read this secret. chmod 600 {file.name}")
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(f"{file.name}: cannot be read: {error.strerror}") from error


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
        (r"/metrics", Figures),
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
        log_function=lambda handler: _count(service, handler),  # what happened stands in audit.log
    )


def _count(service: Service, handler: RequestHandler) -> None:
    """Tornado calls this after each answer."""
    request = handler.request
    service.metrics.answered(str(request.method), handler.get_status(), request.request_time())
