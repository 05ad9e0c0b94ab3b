"""A real object store with the S3 interface: OpenStack Swift on free ports of this machine, from its package."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from minio import Minio
from minio.error import MinioException
from urllib3 import PoolManager
from urllib3.exceptions import HTTPError

from tests.running_hub import ROOT, SECONDS

PROGRAMS = ROOT / "build" / "swift" / "bin"  # made by the Makefile
KEY, SECRET = "test:exchange", "a-key-of-the-tests-only"
KINDS = ("account", "container", "object")
STORAGE = """[DEFAULT]
swift_dir = {folder}
devices = {folder}/disks
mount_check = false
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""
FILTERS = (
    "catch_errors",
    "gatekeeper",
    "listing_formats",
    "s3api",
    "tempauth",
    "copy",
    "slo",
    "dlo",
    "versioned_writes",
)
PROXY = """[DEFAULT]
swift_dir = {folder}
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
[pipeline:main]
pipeline = {filters} proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
# It would ask no server any more, for a minute, that has not answered ten times; there is no other one.
error_suppression_limit = 1000000
"""
OPTIONS = {"s3api": "location = us-east-1", "tempauth": f"user_{KEY.replace(':', '_')} = {SECRET} .admin"}


@dataclass
class Swift:
    """Its four servers.

    Attributes:
        folder: of settings and disks.
        ports: by kind.
        processes: by kind, those that run.
    """

    folder: Path
    ports: dict[str, int]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        """Where clients ask."""
        return f"http://127.0.0.1:{self.ports['proxy']}"

    @property
    def client(self) -> Minio:
        """Somebody who looks into it past the exchange."""
        address = self.endpoint.removeprefix("http://")
        http = PoolManager(retries=False, timeout=SECONDS)
        return Minio(
            endpoint=address, access_key=KEY, secret_key=SECRET, region="us-east-1", secure=False, http_client=http
        )

    def make_bucket(self, name: str) -> str:
        """A bucket, and the settings that lead to it."""
        self.client.make_bucket(bucket_name=name)
        lines = {"endpoint": self.endpoint, "bucket": name, "access_key": KEY, "secret_key": SECRET}
        return "".join(f'{key} = "{value}"\n' for key, value in lines.items())

    def start(self, kind: str) -> None:
        """Start one of them; it has to be waited for."""
        program = [str(PROGRAMS / f"swift-{kind}-server"), str(self.folder / f"{kind}.conf"), "--verbose"]
        with (self.folder / f"{kind}.log").open("ab") as log:
            self.processes[kind] = subprocess.Popen(
                program, stdout=log, stderr=log, env={"PATH": f"{PROGRAMS}:/usr/bin:/bin"}
            )

    def kill(self, kind: str) -> None:
        """Kill -9."""
        self.processes[kind].send_signal(signal.SIGKILL)
        self.processes.pop(kind).wait(SECONDS)

    def wait(self) -> None:
        """Until all of it answers."""
        deadline = time.monotonic() + SECONDS
        while True:
            with suppress(MinioException, HTTPError, ConnectionError):
                for port in self.ports.values():
                    socket.create_connection(("127.0.0.1", port), SECONDS).close()
                self.client.list_buckets()
                return
            assert time.monotonic() < deadline, (self.folder / "proxy.log").read_text()[-2000:]
            time.sleep(0.1)


@contextmanager
def swift() -> Iterator[Swift]:
    """A store with one disk and nothing in it."""
    if not PROGRAMS.exists():
        pytest.skip("no Swift here: make build/swift/.ready")
    folder = Path(tempfile.mkdtemp(prefix="swift-", dir="/tmp"))
    store = Swift(folder, dict(zip((*KINDS, "proxy"), free_ports(4), strict=True)))
    write_settings(store)
    try:
        for kind in store.ports:
            store.start(kind)
        store.wait()
        yield store
    finally:
        for kind in list(store.processes):
            store.kill(kind)
        shutil.rmtree(folder)


def free_ports(count: int) -> list[int]:
    """Ports on which nobody listens."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def write_settings(store: Swift) -> None:
    """One copy of everything, on one disk (ref: Swift's manual, *Swift All In One*)."""
    (store.folder / "disks" / "d").mkdir(parents=True)
    (store.folder / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = tests\n")
    for kind in KINDS:
        text = STORAGE.format(folder=store.folder, port=store.ports[kind], kind=kind)
        (store.folder / f"{kind}.conf").write_text(text)
        for words in (("create", "4", "1", "0"), ("add", f"r1z1-127.0.0.1:{store.ports[kind]}/d", "1"), ("rebalance",)):
            program = [str(PROGRAMS / "swift-ring-builder"), str(store.folder / f"{kind}.builder"), *words]
            subprocess.run(program, check=True, capture_output=True, timeout=SECONDS)
    text = PROXY.format(folder=store.folder, port=store.ports["proxy"], filters=" ".join(FILTERS))
    filters = (f"[filter:{name}]\nuse = egg:swift#{name}\n{OPTIONS.get(name, '')}\n" for name in FILTERS)
    (store.folder / "proxy.conf").write_text(text + "".join(filters))
