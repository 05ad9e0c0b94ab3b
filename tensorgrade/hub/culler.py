"""Stops servers that nobody uses and those that have run for too long, each by the limits of its profile.

A service of the hub: ``python -m tensorgrade.hub.culler PROFILES.TOML [API]``. The token that the hub gives it can
list servers and stop them, nothing else.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tensorgrade.hub.profiles import Profile, read_profiles

EVERY_SECONDS = 60
TIMEOUT_SECONDS = 30
PAGE = "application/jupyterhub-pagination+json"  # Source: JupyterHub's reference, *REST API*, "Pagination"
log = logging.getLogger("culler")


@dataclass(frozen=True)
class Server:
    """A server that runs, as the hub describes it.

    Attributes:
        user: whose it is.
        profile: the name of what it was asked for with; empty if the person did not say.
        started: when.
        last_activity: when somebody last did something there, or a kernel did; None if never.
    """

    user: str
    profile: str
    started: datetime
    last_activity: datetime | None


class HubClient:
    """What the service may ask the hub for."""

    def __init__(self, api: str, token: str) -> None:
        self.api, self.token = api, token

    def servers(self) -> Iterator[Server]:
        """Every server that is up; one that starts or stops just now is left in peace."""
        page: str | None = f"{self.api}/users?state=active"
        while page:
            answer = json.loads(self._ask("GET", page))
            for user in answer["items"]:
                yield from (_server(user["name"], row) for row in user["servers"].values() if row["ready"])
            following = answer["_pagination"]["next"]
            page = following and following["url"]

    def stop(self, server: Server) -> None:
        """Stop it, whoever uses it."""
        self._ask("DELETE", f"{self.api}/users/{urllib.parse.quote(server.user, safe='')}/server")

    def _ask(self, method: str, address: str) -> bytes:
        headers = {"Authorization": f"token {self.token}", "Accept": PAGE}
        request = urllib.request.Request(address, method=method, headers=headers)  # noqa: S310 - the hub's
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            body: bytes = answer.read()
            return body


def reason_to_stop(server: Server, profile: Profile, now: datetime) -> str:
    """Why a server has to go, empty if it may stay."""
    if now - server.started >= timedelta(hours=profile.longest_hours):
        return f"ran for {profile.longest_hours} hours"
    if now - max(server.started, server.last_activity or server.started) >= timedelta(minutes=profile.idle_minutes):
        return f"was idle for {profile.idle_minutes} minutes"
    return ""


def cull(hub: HubClient, profiles: Mapping[str, Profile], default: Profile, now: datetime) -> None:
    """Look at every server once. One of a profile that is no longer there is held to the default's limits."""
    for server in list(hub.servers()):
        if reason := reason_to_stop(server, profiles.get(server.profile, default), now):
            log.info("%s %s", server.user, reason)
            try:
                hub.stop(server)
            except urllib.error.HTTPError as error:  # it has stopped meanwhile; the others' turn
                log.warning("%s: the hub says %s", server.user, error)


def culler_service(python: str, profiles: Path, api: str = "") -> dict[str, Any]:
    """What JupyterHub needs to know to run this.

    Args:
        python: the interpreter.
        profiles: ``profiles.toml``.
        api: the address of the hub's API, where it is not the one that the hub tells.
    """
    command = [python, "-m", "tensorgrade.hub.culler", str(profiles), *([api] if api else [])]
    return {"name": "idle-culler", "command": command, "display": False}


def main() -> None:
    """Look again and again, until the hub stops this or has been killed: then this process has another parent."""
    hub_process = os.getppid()
    logging.basicConfig(level=logging.INFO, format="culler: %(message)s")
    profiles = read_profiles(Path(sys.argv[1]))
    api = sys.argv[2] if len(sys.argv) > 2 else os.environ["JUPYTERHUB_API_URL"]
    hub = HubClient(api, os.environ["JUPYTERHUB_API_TOKEN"])
    while os.getppid() == hub_process:
        try:
            cull(hub, {profile.name: profile for profile in profiles}, profiles[0], datetime.now(UTC))
        except (urllib.error.URLError, TimeoutError) as error:  # the hub starts again, say
            log.warning("the hub does not answer: %s", error)
        time.sleep(EVERY_SECONDS)


def _server(user: str, row: Mapping[str, Any]) -> Server:
    last = row["last_activity"]
    profile = (row["user_options"] or {}).get("profile", "")
    return Server(user, str(profile), datetime.fromisoformat(row["started"]), last and datetime.fromisoformat(last))


if __name__ == "__main__":
    main()
