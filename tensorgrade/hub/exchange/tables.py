"""The tables of the exchange's database. `migrations` makes them; a change here needs a new one there."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

# Times are UTC, without a zone: SQLite knows none.
assignments = Table(
    "assignments",
    metadata,
    Column("course", String(64), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("due_at", DateTime),
    Column("released_at", DateTime, nullable=False),
    Column("withdrawn", Integer, nullable=False),
    Column("notebooks", Text, nullable=False),  # JSON: a list of names
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("stored", String(512), nullable=False),
)
submissions = Table(
    "submissions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("course", String(64), nullable=False),
    Column("assignment", String(128), nullable=False),
    Column("student", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    Column("attempt", String(64)),  # what the sender calls it, so that it can be sent again
    Column("received_at", DateTime, nullable=False),
    Column("due_at", DateTime),  # as it was then
    Column("seconds_late", Float, nullable=False),
    Column("notebooks", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("stored", String(512), nullable=False),
    Column("retired_at", DateTime),  # when its bytes were removed
    # These two hold even if two services write at once.
    UniqueConstraint("course", "assignment", "student", "number", name="one_of_each_number"),
    UniqueConstraint("course", "assignment", "student", "attempt", name="one_of_each_attempt"),
)
feedback = Table(
    "feedback",
    metadata,
    Column("submission", String(32), ForeignKey("submissions.id"), primary_key=True),
    Column("released_at", DateTime, nullable=False),
    Column("pages", Text, nullable=False),  # JSON: by the page's name, its content hash
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("stored", String(512), nullable=False),
    Column("retired_at", DateTime),
)
