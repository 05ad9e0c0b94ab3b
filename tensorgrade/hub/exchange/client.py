"""Asks the exchange by HTTP, and asks again while it is away."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import httpx

from tensorgrade.errors import ExchangeError

ADDRESS, NAME, TOKEN = "TENSORGRADE_EXCHANGE", "TENSORGRADE_EXCHANGE_NAME", "JUPYTERHUB_API_TOKEN"
AWAY = (500, 502, 503, 504)  # the proxy's answers while the exchange starts again, and its own without a database
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0  # seconds
PIECE = 64 * 1024


class ExchangeClient:
    """The exchange, as somebody who has a token sees it.

    Args:
        address: of the service, such as http://127.0.0.1:8000/services/exchange.
        token: of the hub; it says who asks.
        patience_seconds: how long an exchange that is away is asked again.
        name: of the host, where the hub has a domain and is asked under another address.
    """

    def __init__(self, address: str, token: str, *, patience_seconds: float = 60.0, name: str = "") -> None:
        self._patience = patience_seconds
        # No proxy of the environment's: it would get the token. No redirect: nobody else gets it either.
        self._http = httpx.Client(
            base_url=f"{address.rstrip('/')}/api/",
            headers={"Authorization": f"token {token}", **({"Host": name} if name else {})},
            timeout=TIMEOUT,
            trust_env=False,
        )

    @classmethod
    def from_environment(cls, **more: float) -> ExchangeClient:
        """The client of a person's server on the hub, or of a course's grading page.

        Raises:
            ExchangeError: there is no token in the environment.
        """
        address, token = os.environ.get(ADDRESS, ""), os.environ.get(TOKEN, "")
        if not token or not address.startswith("http"):
            raise ExchangeError(
                f"the exchange is a service of the hub: {TOKEN if address else ADDRESS} is not set here"
            )
        return cls(address, token, name=os.environ.get(NAME, ""), **more)

    def assignments(self, course: str = "") -> list[dict[str, Any]]:
        """What is out, in one course or in all of one's own."""
        return list(self._json("GET", "assignments", params=_given(course=course))["assignments"])

    def submissions(self, course: str = "", assignment: str = "", student: str = "") -> list[dict[str, Any]]:
        """One's own submissions; staff see those of everybody in their course."""
        where = _given(course=course, assignment=assignment, student=student)
        return list(self._json("GET", "submissions", params=where)["submissions"])

    def submit(self, course: str, assignment: str, archive: Path) -> dict[str, Any]:
        """Hand in; if no answer comes, hand in again what then is the same submission.

        Returns:
            The receipt.

        Raises:
            ExchangeError: it was refused, or the exchange stays away.
        """
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        receipt = self._json("POST", f"{_place(course, assignment)}/submissions", archive=archive, headers=headers)
        with archive.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != receipt.get("sha256"):
                raise ExchangeError(
                    "the exchange has other bytes than were sent. Submit again, and tell your instructor"
                )
        return receipt

    def release(self, course: str, assignment: str, archive: Path, due: str, *, force: bool) -> None:
        """Let an assignment out."""
        headers = {} if force else {"If-None-Match": "*"}
        self._json("PUT", _place(course, assignment), archive=archive, headers=headers, params=_given(due=due))

    def set_due(self, course: str, assignment: str, due: str) -> None:
        """Say when an assignment is due; empty: never."""
        self._json("PATCH", _place(course, assignment), params={"due": due})

    def withdraw(self, course: str, assignment: str) -> None:
        """Take an assignment out of sight."""
        self._json("DELETE", _place(course, assignment))

    def give_feedback(self, receipt: str, archive: Path) -> None:
        """Give the pages of feedback on a submission."""
        self._json("PUT", f"submissions/{receipt}/feedback", archive=archive)

    def fetch_assignment(self, course: str, assignment: str, to: IO[bytes]) -> None:
        """Get the files of an assignment."""
        self._download(_place(course, assignment), to)

    def fetch_submission(self, receipt: str, to: IO[bytes]) -> None:
        """Get the files of a submission."""
        self._download(f"submissions/{receipt}/files", to)

    def fetch_feedback(self, receipt: str, to: IO[bytes]) -> None:
        """Get the pages of feedback on a submission."""
        self._download(f"submissions/{receipt}/feedback", to)

    def _json(self, method: str, path: str, *, archive: Path | None = None, **more: Any) -> dict[str, Any]:
        with self._answer(method, path, archive, more) as answer:
            answer.read()
            found: dict[str, Any] = answer.json()
            return found

    def _download(self, path: str, to: IO[bytes]) -> None:
        with self._answer("GET", path, None, {}) as answer:
            for piece in answer.iter_bytes(PIECE):
                to.write(piece)
        to.seek(0)

    @contextmanager
    def _answer(
        self, method: str, path: str, archive: Path | None, more: Mapping[str, Any]
    ) -> Iterator[httpx.Response]:
        """The answer to a request, which is sent again while nobody answers: each may be sent twice.

        Raises:
            ExchangeError: it is a refusal, or there is none.
        """
        deadline, pause = time.monotonic() + self._patience, FIRST_PAUSE
        while True:
            reason = ""
            try:
                answer = self._http.send(self._request(method, path, archive, more), stream=True)
            except httpx.TransportError as error:
                reason = str(error) or type(error).__name__
            else:
                if answer.is_success:
                    break
                reason, status = _reason(answer), answer.status_code
                if status not in AWAY and "Retry-After" not in answer.headers:
                    raise ExchangeError(f"exchange: {reason}", status)
            if time.monotonic() > deadline:
                raise ExchangeError(f"the exchange does not answer: {reason}. Try again; nothing is lost")
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)
        try:
            yield answer
        except httpx.TransportError as error:
            raise ExchangeError(f"the exchange's answer has broken off ({error}). Try again") from error
        finally:
            answer.close()

    def _request(self, method: str, path: str, archive: Path | None, more: Mapping[str, Any]) -> httpx.Request:
        if archive is None:
            return self._http.build_request(method, path, **more)
        headers = {**more.get("headers", {}), "Content-Length": str(archive.stat().st_size)}
        return self._http.build_request(method, path, **{**more, "headers": headers, "content": _pieces(archive)})


def _pieces(archive: Path) -> Iterator[bytes]:
    with archive.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _reason(answer: httpx.Response) -> str:
    """Why not, in the exchange's own words if these are its own."""
    answer.read()
    answer.close()
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason_phrase}"


def _place(course: str, assignment: str) -> str:
    return f"courses/{quote(course, safe='')}/assignments/{quote(assignment, safe='')}"


def _given(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
