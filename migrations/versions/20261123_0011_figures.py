"""The mark by which readers know that no figure has changed; who wrote a dependency by hand, and why.

Rules: additive first; back-fill apart from structure; every constraint named; batch mode for SQLite; a released migration is never edited.

Revision: 0011
Follows: 0010
"""

from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    written = op.create_table(
        "written",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("mark", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_written")),
    )
    op.bulk_insert(written, [{"name": "figures", "mark": uuid4()}])
    with op.batch_alter_table("dependency") as batch:
        batch.add_column(sa.Column("author_id", sa.Uuid(), nullable=True))
        batch.add_column(sa.Column("note", sa.String(), nullable=True))
        batch.add_column(sa.Column("created_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("dependency") as batch:
        batch.drop_column("created_at")
        batch.drop_column("note")
        batch.drop_column("author_id")
    op.drop_table("written")
