"""Sign-in at a university's own page (OAuth 2), through a hub that runs."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
import threading
import urllib.parse
import uuid
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.test_hub_lti import running
from tests.test_hub_running import free_ports

pytestmark = pytest.mark.proof
COURSES = """
[dl101]
title = "T"
folder = "courses/dl101"
instructors = ["iris@example.edu"]
students = ["ada@example.edu"]
"""
SECRET = "s3cret"
SIGN_IN = """
[oauth]
client_id = "hub"
client_secret_file = "oauth-secret"
authorize_url = "{issuer}/authorize"
token_url = "{issuer}/token"
userdata_url = "{issuer}/userinfo"
username_claim = "email"
scope = ["openid", "email"]
button = "Example University"
"""


class Provider(ThreadingHTTPServer):
    """The university's page; whoever comes is signed in as `email` (RFC 6749 4.1, RFC 7636)."""

    def __init__(self, redirect_uri: str) -> None:
        super().__init__(("127.0.0.1", 0), _Pages)
        self.redirect_uri, self.email = redirect_uri, ""
        self.codes: dict[str, tuple[str, str]] = {}  # by code: who, and the challenge
        self.tokens: dict[str, str] = {}

    @property
    def issuer(self) -> str:
        """The address."""
        return f"http://127.0.0.1:{self.server_port}"


class _Pages(BaseHTTPRequestHandler):
    """The three addresses."""

    server: Provider

    def do_GET(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        if parts.path == "/userinfo":
            self._answer(200, {"email": self.server.tokens[self.headers["Authorization"].removeprefix("Bearer ")]})
            return
        wanted = {"response_type": "code", "client_id": "hub", "code_challenge_method": "S256"}
        if query.get("redirect_uri") != self.server.redirect_uri or not wanted.items() <= query.items():
            self._answer(400, {"error": "invalid_request"})
            return
        code = uuid.uuid4().hex
        self.server.codes[code] = self.server.email, query["code_challenge"]
        self.send_response(302)
        back = urllib.parse.urlencode({"code": code, "state": query["state"]})
        self.send_header("Location", f"{query['redirect_uri']}?{back}")
        self.end_headers()

    def do_POST(self) -> None:
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        email, challenge = self.server.codes.pop(form["code"])
        digest = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        if (form["client_id"], form["client_secret"], digest) != ("hub", SECRET, challenge):
            self._answer(401, {"error": "invalid_client"})
            return
        token = uuid.uuid4().hex
        self.server.tokens[token] = email
        self._answer(200, {"access_token": token, "token_type": "Bearer"})

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def _answer(self, status: int, content: object) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())


@pytest.fixture(scope="module")
def hub() -> Iterator[tuple[Provider, str, Path]]:
    """A hub, and the page that it sends people to."""
    port = free_ports()
    address = f"http://127.0.0.1:{port}"
    provider = Provider(f"{address}/hub/oauth_callback")
    threading.Thread(target=provider.serve_forever, args=[0.02], daemon=True).start()
    files = {"courses.toml": COURSES, "sign_in.toml": SIGN_IN.format(issuer=provider.issuer), "oauth-secret": SECRET}
    with running(port, files) as (folder, passwords):
        assert passwords == {}
        yield provider, address, folder / "state"
    provider.shutdown()
    provider.server_close()


@pytest.mark.parametrize(
    ("email", "status", "group"),
    [
        ("ada@example.edu", 200, "nbgrader-dl101"),
        ("iris@example.edu", 200, "instructors-dl101"),
        ("mallory@example.edu", 403, None),
    ],
)
def test_people_of_the_courses_sign_in(
    hub: tuple[Provider, str, Path], email: str, status: int, group: str | None
) -> None:
    """Those in courses.toml are in, with their groups; whoever else the university knows is not."""
    provider, address, state = hub
    provider.email = email
    with httpx.Client(timeout=30, follow_redirects=True) as browser:
        assert "Example University" in browser.get(f"{address}/hub/login").text
        browser.get(f"{address}/hub/oauth_login")
        answer = browser.get(f"{address}/hub/home", follow_redirects=False)
    assert (answer.status_code == 200) is (status == 200)
    with closing(sqlite3.connect(f"file:{state / 'hub.sqlite'}?mode=ro", uri=True)) as database:
        query = """select groups.name from groups join user_group_map on groups.id = group_id
            join users on users.id = user_id where users.name = ?"""
        groups = {row[0] for row in database.execute(query, [email])}
    assert (group in groups) if group else (groups == set())
