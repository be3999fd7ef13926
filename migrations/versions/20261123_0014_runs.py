"""What an admin asked of a run is kept with it, so that any process may execute it.

Rules: additive first; back-fill apart from structure; every constraint named; batch mode for SQLite; a released migration is never edited.

Revision: 0014
Follows: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sync_run") as table:
        table.add_column(sa.Column("anew", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("accept_deletions", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    with op.batch_alter_table("sync_run") as table:
        table.drop_column("accept_deletions")
        table.drop_column("anew")
