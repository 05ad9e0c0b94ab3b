"""The exchange of a hub that runs: how tests get tokens, make archives, and ask it as anybody would."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.running_hub import SECONDS, Hub, Member

API = "/services/exchange/api"
TINY_PLACE = "/courses/dl101/assignments/tiny"
NOTEBOOK = (Path(__file__).parent / "courses" / "tiny" / "source" / "tiny" / "tiny.ipynb").read_bytes()


def archive_of(files: dict[str, bytes] | None = None) -> bytes:
    """A tar.gz of these files, the same for the same files."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=out, mode="wb", mtime=0, compresslevel=1) as packed,
        tarfile.open(fileobj=packed, mode="w|") as tar,
    ):
        for name, content in (files or {"tiny.ipynb": NOTEBOOK}).items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> bytes:
    """A tar.gz of a notebook and a link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo("tiny.ipynb")
        info.size = len(NOTEBOOK)
        tar.addfile(info, io.BytesIO(NOTEBOOK))
        other = tarfile.TarInfo(name)
        other.type, other.linkname = kind, target
        tar.addfile(other)
    return out.getvalue()


def token_of(member: Member, scopes: list[str] | None = None) -> str:
    """A token that the person makes at the hub, as at /hub/token."""
    body = {"note": "test"} if scopes is None else {"note": "test", "scopes": scopes}
    answer = member.ask("POST", f"/hub/api/users/{member.user}/tokens", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


@dataclass
class Asker:
    """Somebody with a token, who asks the exchange with plain HTTP.

    Attributes:
        user: whose token it is.
        hub: where the exchange is.
        token: the token; empty: none.
    """

    user: str
    hub: Hub
    token: str

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """One request."""
        headers = {**({"Authorization": f"token {self.token}"} if self.token else {}), **more.pop("headers", {})}
        return requests.request(method, self.hub.address + API + path, headers=headers, timeout=SECONDS, **more)

    def submit(self, data: bytes | None = None, place: str = TINY_PLACE, **headers: str) -> requests.Response:
        """Hand in."""
        sent = archive_of() if data is None else data
        return self.ask("POST", f"{place}/submissions", data=sent, headers=headers)


def audit_of(hub: Hub) -> list[dict[str, Any]]:
    """All lines of the log, as the operator reads it."""
    text = (hub.state / "exchange-service" / "audit.log").read_text()
    return [json.loads(line) for line in text.splitlines()]
