"""The process of the exchange: it listens at once, since the hub waits for that, and loads the rest meanwhile."""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import signal
import sys
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler, stream_request_body

from tensorgrade.errors import TensorgradeError, UsageError
from tensorgrade.hub.applications import Current
from tensorgrade.hub.listening import listen

# What the hub tells its services; without any of them, whoever asks could be let in.
NEEDED = (
    "JUPYTERHUB_API_TOKEN",
    "JUPYTERHUB_API_URL",
    "JUPYTERHUB_CLIENT_ID",
    "JUPYTERHUB_SERVICE_NAME",
    "JUPYTERHUB_SERVICE_PREFIX",
    "JUPYTERHUB_SERVICE_URL",
)
IDLE_SECONDS = 300  # a connection on which nothing comes
# Tornado holds a body in memory before anybody knows who sends it; who takes more reads it piece by piece, and says so
# (see `sending`). tests/test_exchange.py, "nobody takes the memory".
BODY_BYTES, BODY_SECONDS = 64 * 1024, 30

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
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # two would sweep away each other's uploads
        except OSError as error:
            raise UsageError(f"{state}: another exchange runs here") from error
        asyncio.run(_serve(config, state))


async def _serve(config: Path, state: Path) -> None:
    prefix = os.environ["JUPYTERHUB_SERVICE_PREFIX"].rstrip("/")
    stopped, ready, loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()
    current = Current(Application([(r".*", Starting, {"prefix": prefix, "ready": ready})]))
    limits = {"max_body_size": BODY_BYTES, "body_timeout": BODY_SECONDS, "idle_connection_timeout": IDLE_SECONDS}
    server = HTTPServer(current, xheaders=True, **limits)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    listen(server, os.environ["JUPYTERHUB_SERVICE_URL"])
    try:
        application = await loop.run_in_executor(None, load, config, state, prefix)
    except TensorgradeError as error:
        log.error("%s", error)
        await stopped.wait()  # who asks is told to come again; to end would only make the hub start it once more
        return
    current.application = application
    ready.set()
    log.info("the exchange is ready")
    await stopped.wait()
    server.stop()
    application.settings["service"].close()


def load(config: Path, state: Path, prefix: str) -> Application:
    """The exchange, ready to answer."""
    from tensorgrade.hub.exchange.application import load as load_all  # seconds, on a machine that is busy

    return load_all(config, state, prefix)


@stream_request_body
class Starting(RequestHandler):  # type: ignore[misc]  # tornado's
    """What is asked for before the exchange is there: clients ask again, browsers wait."""

    def initialize(self, prefix: str, ready: asyncio.Event) -> None:
        """Learn what to wait for; tornado calls this."""
        self.prefix, self.ready = prefix, ready

    def check_xsrf_cookie(self) -> None:
        """Nothing is done here."""

    def prepare(self) -> None:
        """Let a submission come to its end: a connection that is cut is no answer; tornado calls this."""
        self.request.connection.set_max_body_size(sys.maxsize)
        self.request.connection.set_body_timeout(IDLE_SECONDS)

    def data_received(self, chunk: bytes) -> None:
        """Forget it; tornado calls this."""

    async def get(self) -> None:
        """Answer, or wait."""
        path = self.request.path
        if path.startswith((f"{self.prefix}/api", f"{self.prefix}/health")):
            self.post()
        elif path.rstrip("/") == self.prefix:
            self.redirect(f"{self.prefix}/wait")  # the hub only wants to know whether somebody listens
        else:
            await self.ready.wait()
            self.redirect(f"{self.prefix}/" if path == f"{self.prefix}/wait" else self.request.uri or self.prefix)

    def post(self) -> None:
        """Not yet."""
        self.set_status(503)
        self.set_header("Retry-After", "2")
        self.finish(json.dumps({"error": "the exchange is starting. Try again"}))

    put = patch = delete = head = options = post
