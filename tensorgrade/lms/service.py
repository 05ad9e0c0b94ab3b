"""Speaks to the services of an LMS (LTI Advantage): a token first, then pages, with patience."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tensorgrade.errors import LmsError
from tensorgrade.lms.keys import ALGORITHM, key_id

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523, 2.2
SECONDS_VALID = 300  # of what we sign
SECONDS_TO_ANSWER = 30.0
SECONDS_EARLY = 60.0  # a token is renewed so long before it ends
ATTEMPTS = 5
LONGEST_WAIT = 60.0  # seconds, whatever the LMS asks for
PASSING = {429, 500, 502, 503, 504}
MOST_PAGES = 1000


@dataclass(frozen=True)
class Platform:
    """An LMS at which we are registered.

    Attributes:
        issuer: what it calls itself.
        client_id: what it calls us.
        token_url: where we get a token.
        audience: whom a request for a token names, where that is not ``token_url``.
    """

    issuer: str
    client_id: str
    token_url: str
    audience: str = ""


class Service:
    """The services of one LMS; a context manager."""

    def __init__(self, platform: Platform, key: rsa.RSAPrivateKey, sleep: Callable[[float], None] = time.sleep) -> None:
        self._platform = platform
        self._key = key
        self._sleep = sleep
        self._http = httpx.Client(timeout=SECONDS_TO_ANSWER, follow_redirects=False)
        self._tokens: dict[str, tuple[str, float]] = {}  # by scope: the token, and when to get another

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def pages(self, url: str, scope: str, media_type: str) -> Iterator[Any]:
        """Each page of a list, as JSON.

        Raises:
            LmsError: the LMS refuses, cannot be reached, or its next page lies on another server.
        """
        origin = urlsplit(url)[:2]
        seen: set[str] = set()
        next_url: str | None = url
        while next_url:
            if urlsplit(next_url)[:2] != origin or next_url in seen or len(seen) == MOST_PAGES:
                raise LmsError(f"{url}: its next page {next_url!r} is not one. Nothing was read")
            seen.add(next_url)
            answer = self.send("GET", next_url, scope, headers={"Accept": media_type})
            yield _json(answer)
            next_url = answer.links.get("next", {}).get("url")

    def send(self, method: str, url: str, scope: str, **content: Any) -> httpx.Response:
        """Ask once more while the LMS is busy; anything but a success is an error.

        Raises:
            LmsError: the LMS refuses, or cannot be reached.
        """
        require_secret(url)
        headers = content.pop("headers", {})
        renewed = False
        for attempt in range(1, ATTEMPTS + 1):
            bearer = {"Authorization": f"Bearer {self._token(scope)}"}
            answer = self._try(method, url, attempt, headers={**headers, **bearer}, **content)
            if answer is None:
                continue
            if answer.status_code == 401 and not renewed:
                renewed = bool(self._tokens.pop(scope, True))
                continue
            if answer.is_success:
                return answer
            raise LmsError(f"{method} {url}: {answer.status_code} {_reason(answer)}", status=answer.status_code)
        raise LmsError(f"{method} {url}: refused as unauthorised, twice", status=401)

    def _try(self, method: str, url: str, attempt: int, **content: Any) -> httpx.Response | None:
        """One request; None after waiting, if it is worth another."""
        try:
            answer = self._http.request(method, url, **content)
        except httpx.HTTPError as error:
            if attempt == ATTEMPTS:
                raise LmsError(f"{method} {url}: cannot be reached: {error}") from error
            self._sleep(2.0 ** (attempt - 1))
            return None
        if answer.status_code in PASSING and attempt < ATTEMPTS:
            self._sleep(_wait(answer, attempt))
            return None
        return answer

    def _token(self, scope: str) -> str:
        """An access token, kept until shortly before it ends.

        Source: 1EdTech Security Framework 1.1, 4.1.1; RFC 7523.
        """
        token, ends = self._tokens.get(scope, ("", 0.0))
        if time.monotonic() < ends:
            return token
        require_secret(self._platform.token_url)
        for attempt in range(1, ATTEMPTS + 1):
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION,
                "client_assertion": self._assertion(),  # a new one: each may be used once
                "scope": scope,
            }
            answer = self._try("POST", self._platform.token_url, attempt, data=form)
            if answer is not None:
                break
        if answer is None or not answer.is_success:
            said = _reason(answer) if answer is not None else ""
            raise LmsError(
                f"{self._platform.token_url}: no token for {scope.rsplit('/', 1)[-1]}: {said}. "
                "Does the LMS have our public key, and has it granted this?"
            )
        content = _json(answer)
        token = str(content.get("access_token", ""))
        self._tokens[scope] = token, time.monotonic() + float(content.get("expires_in", 0)) - SECONDS_EARLY
        return token

    def _assertion(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self._platform.client_id,
            "sub": self._platform.client_id,
            "aud": self._platform.audience or self._platform.token_url,
            "iat": now,
            "exp": now + SECONDS_VALID,
            "jti": uuid.uuid4().hex,
        }
        return jwt.encode(claims, self._key, ALGORITHM, headers={"kid": key_id(self._key)})


def require_secret(url: str) -> None:
    """Refuse to send a token where others can read it on its way.

    Raises:
        LmsError: the address has no TLS and is not this machine's own.
    """
    parts = urlsplit(url)
    is_own = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")
    if not (is_own or (parts.scheme == "https" and parts.hostname)):
        raise LmsError(f"{url!r}: expected an https address")


def _wait(answer: httpx.Response, attempt: int) -> float:
    asked = answer.headers.get("Retry-After", "")
    return min(float(asked), LONGEST_WAIT) if asked.isdigit() else 2.0 ** (attempt - 1)


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise LmsError(f"{answer.url}: expected JSON, got {answer.headers.get('Content-Type')}") from error


def _reason(answer: httpx.Response) -> str:
    return " ".join(answer.text.split())[:200]
