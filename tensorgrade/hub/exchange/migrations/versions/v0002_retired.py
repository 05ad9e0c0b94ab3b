"""When the bytes of a submission, or of its feedback, were removed because they were old."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    """Nothing has been, so far."""
    for table in ("submissions", "feedback"):
        op.add_column(table, sa.Column("retired_at", sa.DateTime))


def downgrade() -> None:
    """Forget it."""
    for table in ("feedback", "submissions"):
        op.drop_column(table, "retired_at")
