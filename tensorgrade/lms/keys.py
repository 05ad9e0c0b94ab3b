"""The key by which an LMS knows that a request is ours."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tensorgrade.errors import UsageError

BITS = 2048  # ref: RFC 7518, 3.3
ALGORITHM = "RS256"  # ref: 1EdTech Security Framework 1.1, 5.1.3


def tool_key(file: Path) -> rsa.RSAPrivateKey:
    """The private key in a file; made on first use, for its owner's eyes only.

    Raises:
        UsageError: the file holds another kind of key, or others may read it.
    """
    if not file.exists():
        _make(file)
    if file.stat().st_mode & 0o077:
        raise UsageError(f"{file}: others may read this key. Remove it, and give the LMS the new one")
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except (ValueError, OSError) as error:
        raise UsageError(f"{file}: no private key can be read from it: {error}") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise UsageError(f"{file}: expected an RSA key")
    return key


def public_keys(key: rsa.RSAPrivateKey) -> dict[str, list[dict[str, Any]]]:
    """What the LMS reads from us: the public half, as a JSON Web Key Set (RFC 7517)."""
    public: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    public.pop("key_ops", None)
    return {"keys": [{**public, "kid": key_id(key), "alg": ALGORITHM, "use": "sig"}]}


def key_id(key: rsa.RSAPrivateKey) -> str:
    """The name of a key: its thumbprint, so that another key has another name.

    Source: RFC 7638.
    """
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    members = json.dumps({name: public[name] for name in ("e", "kty", "n")}, separators=(",", ":"))
    return hashlib.sha256(members.encode()).hexdigest()


def _make(file: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    form = serialization.PrivateFormat.PKCS8
    text = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    write_secret(file, text)


def write_secret(file: Path, content: bytes) -> None:
    """Write a file that only its owner can read, and that is there whole or not at all; an older one stays."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        handle.write(content)
        os.fsync(handle.fileno())
    try:
        os.link(draft, file)  # unlike a rename it does not replace a key that another process has made meanwhile
    except FileExistsError:
        pass
    finally:
        draft.unlink()
