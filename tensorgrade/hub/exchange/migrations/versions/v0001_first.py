"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "assignments",
        sa.Column("course", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("due_at", sa.DateTime),
        sa.Column("released_at", sa.DateTime, nullable=False),
        sa.Column("withdrawn", sa.Integer, nullable=False),
        sa.Column("notebooks", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("stored", sa.String(512), nullable=False),
    )
    op.create_table(
        "submissions",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("course", sa.String(64), nullable=False),
        sa.Column("assignment", sa.String(128), nullable=False),
        sa.Column("student", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("attempt", sa.String(64)),
        sa.Column("received_at", sa.DateTime, nullable=False),
        sa.Column("due_at", sa.DateTime),
        sa.Column("seconds_late", sa.Float, nullable=False),
        sa.Column("notebooks", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("stored", sa.String(512), nullable=False),
        sa.UniqueConstraint("course", "assignment", "student", "number", name="one_of_each_number"),
        sa.UniqueConstraint("course", "assignment", "student", "attempt", name="one_of_each_attempt"),
    )
    op.create_table(
        "feedback",
        sa.Column("submission", sa.String(32), sa.ForeignKey("submissions.id"), primary_key=True),
        sa.Column("released_at", sa.DateTime, nullable=False),
        sa.Column("pages", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("stored", sa.String(512), nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("feedback", "submissions", "assignments"):
        op.drop_table(table)
