"""How people sign in: ``sign_in.toml`` says which way, and this sets it up."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensorgrade.errors import UsageError
from tensorgrade.hub.courses import HubCourse
from tensorgrade.hub.tables import read_tables
from tensorgrade.lms.keys import tool_key, write_secret
from tensorgrade.lms.people import LAUNCHED
from tensorgrade.lms.service import Platform, require_secret

SERVICES = "lms"  # folder in the hub's state
TOOL_KEY = "lms-key.pem"
CRYPT_KEY = "crypt_key"
OPEN_FROM_LMS = "Students: open the hub from your course in the learning management system. No password is needed."
KINDS = ("passwords", "lti", "oauth")


@dataclass(frozen=True)
class WayIn:
    """The only table of ``sign_in.toml``.

    Attributes:
        kind: passwords of the hub's own, lti, or oauth.
        issuer: lti: what the LMS calls itself.
        client_id: lti, oauth: what the other side calls us.
        authorize_url: lti, oauth: where the browser is sent.
        jwks_url: lti: where the LMS's public keys are.
        token_url: lti, oauth: where tokens are.
        token_audience: lti: whom a request for a token names, where that is not ``token_url``.
        deployments: lti: the deployments that may launch; empty: all of this client.
        userdata_url: oauth: where it says who somebody is.
        username_claim: oauth: the key there that holds the name in ``courses.toml``.
        scope: oauth: what is asked for.
        client_secret_file: oauth: a file, seen from the folder of ``sign_in.toml``, that others cannot read.
        button: oauth: what stands on the button.
    """

    kind: str
    issuer: str = ""
    client_id: str = ""
    authorize_url: str = ""
    jwks_url: str = ""
    token_url: str = ""
    token_audience: str = ""
    deployments: tuple[str, ...] = ()
    userdata_url: str = ""
    username_claim: str = ""
    scope: tuple[str, ...] = ("openid",)
    client_secret_file: str = ""
    button: str = "your university"

    def __post_init__(self) -> None:
        """Refuse a way in that would stay open or shut.

        Raises:
            ValueError: with one sentence on it.
        """
        needed = {
            "passwords": (),
            "lti": ("issuer", "client_id", "authorize_url", "jwks_url", "token_url"),
            "oauth": (
                "client_id",
                "authorize_url",
                "token_url",
                "userdata_url",
                "username_claim",
                "client_secret_file",
            ),
        }
        if self.kind not in needed:
            raise ValueError(f"expected one of the tables {', '.join(f'[{kind}]' for kind in KINDS)}")
        for name in needed[self.kind]:
            if not getattr(self, name):
                raise ValueError(f"{name} is missing")
        for name in ("authorize_url", "jwks_url", "token_url", "userdata_url"):
            if url := getattr(self, name):
                try:
                    require_secret(url)
                except Exception as error:
                    raise ValueError(f"{name}: {error}") from error

    @property
    def platform(self) -> Platform:
        """The LMS, for its services."""
        return Platform(self.issuer, self.client_id, self.token_url, self.token_audience)


def read_way_in(path: Path) -> WayIn:
    """Read ``sign_in.toml``; without one, people have passwords.

    Raises:
        UsageError: with the file and the key that is wrong.
    """
    tables = read_tables(path, WayIn) if path.exists() else (WayIn("passwords"),)
    if len(tables) != 1:
        raise UsageError(f"{path}: expected one table, got {len(tables)}")
    return tables[0]


def configure_way_in(c: Any, path: Path, state: Path, courses: tuple[HubCourse, ...]) -> None:
    """Change what was set up for passwords to what ``sign_in.toml`` says.

    Raises:
        UsageError: the file is not as it should be.
    """
    way = read_way_in(path)
    c.CourseMembers.courses = list(courses)
    c.Authenticator.allow_existing_users = False  # whoever has left courses.toml is not let in again
    if way.kind == "lti":
        _configure_lti(c, way, state)
    elif way.kind == "oauth":
        _configure_oauth(c, way, path.parent)


def _configure_lti(c: Any, way: WayIn, state: Path) -> None:
    from tensorgrade.hub.lti import LaunchAuthenticator
    from tensorgrade.hub.lti_handlers import LEEWAY

    c.JupyterHub.authenticator_class = LaunchAuthenticator
    c.JupyterHub.load_groups = {}  # JupyterHub refuses to start with both; the groups are made of the roles
    c.Authenticator.manage_groups = True
    c.Authenticator.allowed_users = {user for user in c.Authenticator.allowed_users if not user.startswith(LAUNCHED)}
    c.Authenticator.enable_auth_state = True
    c.JupyterHub.cookie_max_age_days = 1  # whoever has left the LMS's course is out tomorrow
    c.LTI13LaunchValidator.time_leeway = LEEWAY
    c.JupyterHub.template_vars.update({"announcement_login": OPEN_FROM_LMS})
    c.CryptKeeper.keys = [_crypt_key(state / CRYPT_KEY)]
    ours = c.LaunchAuthenticator
    ours.issuer, ours.client_id = way.issuer, {way.client_id}
    ours.authorize_url, ours.jwks_endpoint = way.authorize_url, way.jwks_url
    ours.username_key = "sub"
    ours.deployments = list(way.deployments)
    ours.services = state / SERVICES
    ours.tool_key = state / TOOL_KEY
    tool_key(ours.tool_key)


def _configure_oauth(c: Any, way: WayIn, folder: Path) -> None:
    from tensorgrade.hub.oauth import CourseOAuthenticator

    file = folder / way.client_secret_file
    try:
        if file.stat().st_mode & 0o077:
            raise UsageError(f"{file}: others may read this secret. chmod 600 {file}")
        secret = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
    c.JupyterHub.authenticator_class = CourseOAuthenticator
    ours = c.GenericOAuthenticator
    ours.client_id, ours.client_secret = way.client_id, secret
    ours.authorize_url, ours.token_url, ours.userdata_url = way.authorize_url, way.token_url, way.userdata_url
    ours.username_claim, ours.scope, ours.login_service = way.username_claim, list(way.scope), way.button
    ours.enable_pkce = True


def _crypt_key(file: Path) -> bytes:
    """The key under which the hub's database keeps what a launch said; made once."""
    if not file.exists():
        write_secret(file, secrets.token_bytes(32).hex().encode())
    if file.stat().st_mode & 0o077:
        raise UsageError(f"{file}: others may read this key. Remove it; people sign in again")
    return bytes.fromhex(file.read_text(encoding="ascii"))
