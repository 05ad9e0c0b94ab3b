"""A small learning management system that is as strict as LTI 1.3 asks: for tests, on the loopback address.

It signs launches and keeps a list of people and of grades. What a tool sends is checked as the standards say;
a request that breaks a rule is answered with an error and remembered in `Platform.complaints`.
"""

from __future__ import annotations

import html
import json
import re
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
SCOPES = {f"{AGS}lineitem", f"{AGS}score", f"{AGS}result.readonly", NRPS}
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"
# As Canvas sends them: a TA is an instructor too, and roles in the institution come along.
ROLES = {
    "Learner": [f"{MEMBERSHIP}#Learner", "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Student"],
    "TeachingAssistant": [f"{MEMBERSHIP}/instructor#TeachingAssistant", f"{MEMBERSHIP}#Instructor"],
    "Instructor": [f"{MEMBERSHIP}#Instructor", "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Instructor"],
    "Mentor": [f"{MEMBERSHIP}#Mentor", "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Instructor"],
}
PAGE = 2  # entries of a list


@dataclass
class Refusal(Exception):
    """An answer that is no success."""

    status: int
    reason: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Member:
    """Somebody in the course."""

    subject: str
    role: str
    email: str = ""
    given: str = ""
    family: str = ""
    status: str = "Active"


@dataclass
class Item:
    """A column of grades."""

    label: str
    maximum: float
    resource: str
    tag: str
    scores: dict[str, dict[str, Any]] = field(default_factory=dict)


class Platform:
    """The LMS; a context manager that serves while it is open."""

    client_id = "tool-client-1"
    deployment = "deployment-1"
    context = "context-42"

    def __init__(self) -> None:
        self.kid = uuid.uuid4().hex
        self.redirect_uris: set[str] = set()
        self.tool_keys: Callable[[], dict[str, Any]] = dict
        self.members: list[Member] = []
        self.items: dict[int, Item] = {}
        self.tokens: dict[str, tuple[set[str], float]] = {}
        self.seen_jti: set[str] = set()
        self.granted = set(SCOPES)
        self.trouble: list[Refusal] = []  # answered to the next requests, one each
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.next_page_at = ""  # another server, if the lists go on there
        self.next_claims: dict[str, Any] = {}
        self.next_key: rsa.RSAPrivateKey | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"platform": self}))

    def __enter__(self) -> Platform:
        threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @cached_property
    def key(self) -> rsa.RSAPrivateKey:
        """What it signs with."""
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def issuer(self) -> str:
        """Also the address of everything."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def keys(self) -> dict[str, Any]:
        """The public half."""
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": self.kid, "alg": "RS256", "use": "sig"}]}

    # A launch: OpenID Connect, third-party initiated (1EdTech Security Framework 1.1, 5.1.1)

    def authorize(self, query: dict[str, str]) -> str:
        """The form that the browser sends to the tool; what the tool asked for must be exact."""
        fixed = {"response_type": "id_token", "scope": "openid", "response_mode": "form_post", "prompt": "none"}
        wrong = [name for name, value in fixed.items() if query.get(name) != value]
        if wrong or query.get("client_id") != self.client_id or query.get("redirect_uri") not in self.redirect_uris:
            raise Refusal(400, f"authentication request: {wrong or 'client_id or redirect_uri'}")
        if not query.get("nonce") or not query.get("state"):
            raise Refusal(400, "authentication request: nonce or state is missing")
        member = next((one for one in self.members if one.subject == query.get("login_hint")), None)
        if member is None:
            raise Refusal(400, "authentication request: login_hint")
        claims = {**self.claims(member, query["nonce"]), **self.next_claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        token = jwt.encode(claims, self.next_key or self.key, "RS256", headers={"kid": self.kid})
        self.next_claims, self.next_key = {}, None
        values = {"id_token": token, "state": query["state"]}
        fields = "".join(f'<input name="{name}" value="{html.escape(value)}">' for name, value in values.items())
        submit = "<script>document.forms[0].submit()</script>"
        return f'<form method="post" action="{html.escape(query["redirect_uri"])}">{fields}</form>{submit}'

    def claims(self, member: Member, nonce: str) -> dict[str, Any]:
        """What the token of a launch says (LTI 1.3 core, 5.3)."""
        now = int(time.time())
        return {
            "iss": self.issuer,
            "aud": self.client_id,
            "sub": member.subject,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            "email": member.email,
            "given_name": member.given,
            "family_name": member.family,
            f"{CLAIM}message_type": "LtiResourceLinkRequest",
            f"{CLAIM}version": "1.3.0",
            f"{CLAIM}deployment_id": self.deployment,
            f"{CLAIM}target_link_uri": next(iter(self.redirect_uris)).split("/hub/")[0] + "/hub",
            f"{CLAIM}resource_link": {"id": "link-1"},
            f"{CLAIM}roles": ROLES[member.role],
            f"{CLAIM}context": {"id": self.context, "label": "DL101"},
            "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint": {
                "lineitems": f"{self.issuer}/course/lineitems?type=5",
                "scope": sorted(self.granted - {NRPS}),
            },
            "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice": {
                "context_memberships_url": f"{self.issuer}/course/members",
                "service_versions": ["2.0"],
            },
        }

    # Tokens for services (RFC 7523; 1EdTech Security Framework 1.1, 4.1)

    def token(self, form: dict[str, str]) -> dict[str, Any]:
        """A token, if the tool's assertion is in order and used for the first time."""
        if form.get("grant_type") != "client_credentials":
            raise Refusal(400, "unsupported_grant_type")
        if form.get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
            raise Refusal(400, "invalid_request")
        try:
            header = jwt.get_unverified_header(form["client_assertion"])
            known = {one["kid"]: jwt.PyJWK(one).key for one in self.tool_keys()["keys"]}
            needed = ["iss", "sub", "aud", "iat", "exp", "jti"]
            claims = jwt.decode(
                form["client_assertion"],
                known[header["kid"]],
                ["RS256"],
                audience=f"{self.issuer}/token",
                options={"require": needed},
            )
        except (jwt.PyJWTError, KeyError) as error:
            raise Refusal(400, f"invalid_client: {error!r}") from error
        if not claims["iss"] == claims["sub"] == self.client_id or claims["exp"] - claims["iat"] > 3600:
            raise Refusal(400, "invalid_client: iss, sub or a life too long")
        if claims["jti"] in self.seen_jti:
            raise Refusal(400, "invalid_client: jti was used")
        self.seen_jti.add(claims["jti"])
        asked = set(form.get("scope", "").split())
        if not asked or not asked <= self.granted:
            raise Refusal(400, "invalid_scope")
        token = uuid.uuid4().hex
        self.tokens[token] = asked, time.time() + 3600
        return {"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": " ".join(asked)}

    def require(self, headers: Any, scope: str, media_type: str, name: str) -> None:
        """A valid token for this, and the right media type."""
        kind, _, token = headers.get("Authorization", "").partition(" ")
        scopes, ends = self.tokens.get(token, (set(), 0.0))
        if kind != "Bearer" or time.time() > ends:
            raise Refusal(401, "no valid token")
        if scope not in scopes:
            raise Refusal(403, f"the token is not for {scope}")
        if headers.get(name) != media_type:
            raise Refusal(415 if name == "Content-Type" else 406, f"{name}: expected {media_type}")

    # Names and roles; line items, scores and results

    def member_list(self) -> list[dict[str, Any]]:
        """Everybody, as Names and Role Provisioning Services 2.0 writes them."""
        return [
            {
                "user_id": one.subject,
                "roles": ROLES[one.role],
                "status": one.status,
                "email": one.email,
                "given_name": one.given,
                "family_name": one.family,
            }
            for one in self.members
        ]

    def item_json(self, number: int) -> dict[str, Any]:
        """A column; its address has a query, as Moodle's has."""
        item = self.items[number]
        return {
            "id": f"{self.issuer}/course/lineitems/{number}/lineitem?type=5",
            "label": item.label,
            "scoreMaximum": item.maximum,
            "resourceId": item.resource,
            "tag": item.tag,
        }

    def add_item(self, content: dict[str, Any]) -> dict[str, Any]:
        """A new column."""
        if not str(content.get("label", "")).strip() or not content.get("scoreMaximum", 0) > 0:
            raise Refusal(400, "line item: label and a scoreMaximum above 0 are required")
        number = len(self.items) + 1
        known = {"label": str(content["label"]), "maximum": float(content["scoreMaximum"])}
        self.items[number] = Item(**known, resource=content.get("resourceId", ""), tag=content.get("tag", ""))
        return self.item_json(number)

    def put_score(self, number: int, content: dict[str, Any]) -> None:
        """A score (Assignment and Grade Services 2.0, 3.4)."""
        progress = {"Initialized", "Started", "InProgress", "Submitted", "Completed"}
        grading = {"FullyGraded", "Pending", "PendingManual", "Failed", "NotReady"}
        if content.get("activityProgress") not in progress or content.get("gradingProgress") not in grading:
            raise Refusal(400, "score: activityProgress or gradingProgress")
        stamp = str(content.get("timestamp", ""))
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d)", stamp):
            raise Refusal(400, "score: timestamp must be ISO 8601 with a zone and parts of a second")
        given, maximum = content.get("scoreGiven"), content.get("scoreMaximum")
        if given is not None and (not isinstance(maximum, int | float) or maximum <= 0 or given < 0):
            raise Refusal(400, "score: scoreMaximum above 0 is required with scoreGiven, which is not negative")
        user = str(content.get("userId", ""))
        if user not in {one.subject for one in self.members if one.role == "Learner" and one.status == "Active"}:
            raise Refusal(404, "score: no such student in the course")
        old = self.items[number].scores.get(user)
        if old and datetime.fromisoformat(stamp) <= datetime.fromisoformat(old["timestamp"]):
            raise Refusal(409, "score: a later one is here")
        self.items[number].scores[user] = content

    def results(self, number: int) -> list[dict[str, Any]]:
        """What the gradebook shows, in points of the column."""
        item = self.items[number]
        return [
            {
                "userId": user,
                "resultScore": score["scoreGiven"] / score["scoreMaximum"] * item.maximum,
                "resultMaximum": item.maximum,
            }
            for user, score in item.scores.items()
        ]

    # What a browser does

    def link(self, subject: str) -> str:
        """The page of the course whose link opens the tool."""
        [callback] = self.redirect_uris
        start = callback.replace("oauth_callback", "oauth_login")
        hint = {"iss": self.issuer, "login_hint": subject, "target_link_uri": callback.split("/hub/")[0] + "/hub"}
        values = {**hint, "client_id": self.client_id, "lti_deployment_id": self.deployment}
        fields = "".join(f'<input type="hidden" name="{name}" value="{value}">' for name, value in values.items())
        return f'<form method="post" action="{start}">{fields}<button>Open the hub</button></form>'

    def begin(self, browser: httpx.Client, subject: str) -> dict[str, str]:
        """Go from the course's link to the form that the LMS shows; give its fields."""
        [callback] = self.redirect_uris
        hint = {"iss": self.issuer, "login_hint": subject, "target_link_uri": callback.split("/hub/")[0] + "/hub"}
        start = callback.replace("oauth_callback", "oauth_login")
        answer = browser.post(start, data={**hint, "client_id": self.client_id, "lti_deployment_id": self.deployment})
        assert answer.status_code == 302, answer.text
        page = browser.get(answer.headers["Location"])
        assert page.status_code == 200, page.text
        return {name: html.unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', page.text)}

    def launch(self, browser: httpx.Client, subject: str) -> httpx.Response:
        """Click the link in the course; the tool's answer."""
        fields = self.begin(browser, subject)
        [callback] = self.redirect_uris
        return browser.post(callback, data=fields)


class _Handler(BaseHTTPRequestHandler):
    """The addresses."""

    platform: Platform

    def do_GET(self) -> None:
        self._serve(self._get)

    def do_POST(self) -> None:
        self._serve(self._post)

    def do_PUT(self) -> None:
        self._serve(self._put)

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def _serve(self, answer: Callable[[str], None]) -> None:
        parts = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(parts.query))
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.platform.requests.append(f"{self.command} {self.path}")
        try:
            if self.platform.trouble and parts.path.startswith("/course/"):
                raise self.platform.trouble.pop(0)
            answer(parts.path)
        except Refusal as refusal:
            self.platform.complaints.append(f"{refusal.status} {refusal.reason}")
            self._answer({"error": refusal.reason}, status=refusal.status, headers=refusal.headers)

    def _get(self, path: str) -> None:
        platform = self.platform
        if path == "/keys":
            self._answer(platform.keys())
        elif path == "/authorize":
            self._write(200, platform.authorize(self.query).encode(), {"Content-Type": "text/html"})
        elif path == "/link":
            self._write(200, platform.link(self.query["subject"]).encode(), {"Content-Type": "text/html"})
        elif path == "/course/members":
            kind = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
            platform.require(self.headers, NRPS, kind, "Accept")
            self._page(platform.member_list(), kind, lambda page: {"id": self.path, "context": {}, "members": page})
        elif path == "/course/lineitems":
            kind = "application/vnd.ims.lis.v2.lineitemcontainer+json"
            platform.require(self.headers, f"{AGS}lineitem", kind, "Accept")
            self._page([platform.item_json(number) for number in platform.items], kind, lambda page: page)
        elif match := re.fullmatch(r"/course/lineitems/(\d+)/lineitem/results", path):
            kind = "application/vnd.ims.lis.v2.resultcontainer+json"
            platform.require(self.headers, f"{AGS}result.readonly", kind, "Accept")
            self._page(platform.results(int(match[1])), kind, lambda page: page)
        else:
            raise Refusal(404, path)

    def _post(self, path: str) -> None:
        platform = self.platform
        if path == "/token":
            self._answer(platform.token(dict(urllib.parse.parse_qsl(self.body.decode()))))
        elif path == "/course/lineitems":
            platform.require(self.headers, f"{AGS}lineitem", "application/vnd.ims.lis.v2.lineitem+json", "Content-Type")
            self._answer(platform.add_item(json.loads(self.body)), status=201)
        elif match := re.fullmatch(r"/course/lineitems/(\d+)/lineitem/scores", path):
            platform.require(self.headers, f"{AGS}score", "application/vnd.ims.lis.v1.score+json", "Content-Type")
            platform.put_score(int(match[1]), json.loads(self.body))
            self._write(204, b"", {})
        else:
            raise Refusal(404, path)

    def _put(self, path: str) -> None:
        match = re.fullmatch(r"/course/lineitems/(\d+)/lineitem", path)
        if not match:
            raise Refusal(404, path)
        kind = "application/vnd.ims.lis.v2.lineitem+json"
        self.platform.require(self.headers, f"{AGS}lineitem", kind, "Content-Type")
        content = json.loads(self.body)
        self.platform.items[int(match[1])].maximum = float(content["scoreMaximum"])
        self._answer(self.platform.item_json(int(match[1])))

    def _page(self, entries: list[Any], kind: str, wrapped: Callable[[list[Any]], Any]) -> None:
        """A part of a list, with the address of the next in a header (RFC 8288)."""
        first = int(self.query.get("from", 0))
        headers = {"Content-Type": kind}
        if first + PAGE < len(entries):
            path = urllib.parse.urlsplit(self.path).path
            query = urllib.parse.urlencode({**self.query, "from": first + PAGE})
            server = self.platform.next_page_at or self.platform.issuer
            headers["Link"] = f'<{server}{path}?{query}>; rel="next"'
        self._answer(wrapped(entries[first : first + PAGE]), headers=headers)

    def _answer(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._write(status, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _write(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
