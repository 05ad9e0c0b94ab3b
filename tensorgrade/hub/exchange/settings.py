"""What an operator decides about the exchange: ``exchange.toml``, one table."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, fields
from pathlib import Path

from tensorgrade.errors import UsageError
from tensorgrade.hub.exchange.archive import ArchiveLimits
from tensorgrade.hub.tables import read_tables

MIB = 1024**2
KINDS = ("service", "directory")


@dataclass(frozen=True)
class ExchangeSettings:
    """The only table of ``exchange.toml``.

    Attributes:
        kind: service: the hub's own; directory: nbgrader's folders, which trust whoever uses them.
        upload_mib: the largest submission, packed.
        unpacked_mib: the largest one, unpacked.
        files: files of one submission.
        submissions: of one student for one assignment.
        student_mib: all submissions of one student in one course, packed.
        upload_seconds: how long one upload may take.
        keep_days: how old submissions and feedback become before `tensorgrade exchange-retire` removes their bytes;
            left out: they are kept for ever.
        proxies: addresses of proxies in front of the hub's own, such as one that ends TLS: what they say of where
            somebody asks from is believed. Whoever else asks from such an address can say what they like.
        database_file: a file beside this one that holds SQLAlchemy's address of a PostgreSQL database, such as
            postgresql+pg8000://exchange:password@host/exchange; nobody else may read it. Empty: SQLite.
        store_file: a file beside this one that names a bucket of an object store and its keys; nobody else may read
            it. Empty: a folder.
    """

    kind: str = "service"
    upload_mib: int = 100
    unpacked_mib: int = 400
    files: int = 1000
    submissions: int = 500
    student_mib: int = 2000
    upload_seconds: int = 300
    keep_days: int | None = None
    proxies: tuple[str, ...] = ()
    database_file: str = ""
    store_file: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: with one sentence on it.
        """
        if self.kind not in KINDS:
            raise ValueError(f"expected one of the tables {', '.join(f'[{kind}]' for kind in KINDS)}")
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and value < 1:
                raise ValueError(f"{field.name}: expected 1 or more, got {value}")
        for address in self.proxies:
            try:
                ipaddress.ip_address(address)
            except ValueError as error:
                raise ValueError(f"proxies: expected addresses such as 10.0.0.7, got {address!r}") from error

    @property
    def is_service(self) -> bool:
        """Whether the hub runs its own exchange."""
        return self.kind == "service"

    @property
    def secret_files(self) -> tuple[str, ...]:
        """The files that it names."""
        return tuple(filter(None, (self.database_file, self.store_file)))

    @property
    def upload_bytes(self) -> int:
        """The largest submission, packed."""
        return self.upload_mib * MIB

    @property
    def archive(self) -> ArchiveLimits:
        """What an archive may hold."""
        return ArchiveLimits(self.unpacked_mib * MIB, self.files)


def read_exchange(path: Path) -> ExchangeSettings:
    """Read ``exchange.toml``; without one the service runs as it comes.

    Raises:
        UsageError: with the file and the key that is wrong.
    """
    tables = read_tables(path, ExchangeSettings) if path.exists() else (ExchangeSettings(),)
    if len(tables) != 1:
        raise UsageError(f"{path}: expected one table, got {len(tables)}")
    return tables[0]
