"""Keeps the bytes of submissions, assignments and feedback in a bucket of an object store with the S3 interface."""

from __future__ import annotations

import hashlib
import ipaddress
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import IO, TypeVar
from urllib.parse import urlsplit

import certifi
from minio import Minio
from minio.error import MinioException, S3Error
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from tensorgrade.errors import StorageError, UsageError
from tensorgrade.hub.exchange.storage import IncomingFolder, Missing, Part

CONNECT_SECONDS, READ_SECONDS = 5.0, 60.0
CONNECTIONS = 16  # one for each thread of the service
PIECE = 64 * 1024
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Bucket:
    """Where the bytes go, and with whose keys; a file of its own, since nobody else may read it.

    Attributes:
        endpoint: the store's address, such as https://s3.example.edu.
        bucket: its name; it has to be there, and hold nothing else.
        region: of the store.
    """

    endpoint: str
    bucket: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    region: str = "us-east-1"

    def __post_init__(self) -> None:
        """Refuse what would send submissions over a network that can be read.

        Raises:
            ValueError: with one sentence on it.
        """
        address = urlsplit(self.endpoint)
        if address.scheme not in ("http", "https") or not address.hostname or address.path.strip("/"):
            raise ValueError("endpoint: expected an address such as https://s3.example.edu")
        if address.scheme == "http" and not _is_loopback(address.hostname):
            raise ValueError("endpoint: expected https: on the way everybody could read what is handed in")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_bucket(file: Path) -> Bucket:
    """Read the file; no error says what stands in it.

    Raises:
        UsageError: it cannot be read, others can read it too, or a key is unknown or missing.
    """
    try:
        if file.stat().st_mode & 0o077:
            raise UsageError(f"{file.name}: others may read this secret. chmod 600 {file.name}")
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{file.name}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{file.name}: is no TOML") from error
    known = {one.name for one in fields(Bucket)}
    if wrong := sorted((set(values) - known) | {name for name in values if not isinstance(values[name], str)}):
        raise UsageError(f"{file.name}: {wrong[0]}: expected texts, and no others than {', '.join(sorted(known))}")
    if missing := sorted(known - {"region"} - set(values)):
        raise UsageError(f"{file.name}: {missing[0]} is missing")
    try:
        return Bucket(**values)
    except ValueError as error:
        raise UsageError(f"{file.name}: {error}") from error


class S3Store(IncomingFolder):
    """A bucket of objects that are written once; uploads on their way in lie in a folder.

    Args:
        root: of that folder; nobody but the service can open it.
        bucket: where the objects go.
    """

    def __init__(self, root: Path, bucket: Bucket) -> None:
        super().__init__(root)
        address, self._bucket = urlsplit(bucket.endpoint), bucket.bucket
        self._client = Minio(
            endpoint=address.netloc,
            access_key=bucket.access_key,
            secret_key=bucket.secret_key,
            region=bucket.region,
            secure=address.scheme == "https",
            http_client=PoolManager(
                maxsize=CONNECTIONS,
                timeout=Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
                retries=Retry(total=3, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504), redirect=0),
                ca_certs=certifi.where(),
            ),
        )

    def keep(self, part: Part, key: str) -> None:
        """Give an upload its name; once this returns, the store has said so and given the same bytes back.

        Raises:
            StorageError: the store is away, or has other bytes.
        """
        part.sync()
        with part.path.open("rb") as file:
            self._ask(lambda: self._client.put_object(self._bucket, key, file, part.size))
        with self.open(key) as kept:
            digest = hashlib.sha256()
            while piece := kept.read(PIECE):
                digest.update(piece)
            if digest.hexdigest() != part.sha256:
                raise StorageError("the exchange's store gives back other bytes than it was given")
        part.close()

    def open(self, key: str) -> IO[bytes]:
        """Read what was kept, all of it before the first byte is sent on.

        Raises:
            Missing: it is not there.
            StorageError: the store is away.
        """
        file = tempfile.TemporaryFile(dir=self.incoming)  # noqa: SIM115 - whoever asks closes it
        try:
            self._ask(lambda: self._fetch(key, file))
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    def _fetch(self, key: str, to: IO[bytes]) -> None:
        try:
            answer = self._client.get_object(self._bucket, key)
        except S3Error as error:
            raise (Missing(key) if error.code == "NoSuchKey" else error) from None
        try:
            for piece in answer.stream(PIECE):
                to.write(piece)
        finally:
            answer.close()
            answer.release_conn()

    def remove(self, key: str) -> None:
        """Drop what nobody needs any more; what is not there is no matter.

        Raises:
            StorageError: the store is away.
        """
        self._ask(lambda: self._client.remove_object(self._bucket, key))

    def all_keys(self) -> Iterator[str]:
        """The names of all that is kept.

        Raises:
            StorageError: the store is away.
        """
        objects = self._ask(lambda: list(self._client.list_objects(self._bucket, recursive=True)))
        return (str(one.object_name) for one in objects)

    def abandoned_keys(self) -> Iterator[str]:
        """None: another exchange may be about to write them down, and a database that was restored be older."""
        return iter(())

    def set_aside(self, key: str) -> None:
        """Leave it where it is: nothing of a bucket counts as abandoned."""

    def check(self) -> None:
        """See whether the bucket is there.

        Raises:
            StorageError: it is not, or the store is away.
        """
        if not self._ask(lambda: self._client.bucket_exists(self._bucket)):
            raise StorageError(f"the exchange's store has no bucket {self._bucket!r}. Make it")

    def _ask(self, work: Callable[[], Answer]) -> Answer:
        """Ask the store.

        Raises:
            StorageError: without the request, whose headers nobody needs to see.
        """
        try:
            return work()
        except S3Error as error:
            raise StorageError(f"the exchange's store refuses: {error.code}") from error
        except (MinioException, HTTPError) as error:
            raise StorageError(f"the exchange's store is away: {type(error).__name__}") from error
