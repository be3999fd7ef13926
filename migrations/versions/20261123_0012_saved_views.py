"""Views that people keep under a name.

Rules: additive first; back-fill apart from structure; every constraint named; batch mode for SQLite; a released migration is never edited.

Revision: 0012
Follows: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "saved_view",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("page", sa.String(), nullable=False),
        sa.Column("query", sa.String(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_view")),
        sa.UniqueConstraint("owner", "page", "name", name=op.f("uq_saved_view_owner_page_name")),
    )
    op.create_index(op.f("ix_saved_view_shared"), "saved_view", ["shared"])


def downgrade() -> None:
    op.drop_index(op.f("ix_saved_view_shared"), "saved_view")
    op.drop_table("saved_view")
