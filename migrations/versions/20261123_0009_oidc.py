"""Log-in by a provider: who a person is there, who is on the way, and for whom the way was opened.

Rules: additive first; back-fill apart from structure; every constraint named; batch mode for SQLite; a released migration is never edited.

Revision: 0009
Follows: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("user") as user:
        user.add_column(sa.Column("link_until", INSTANT, nullable=True))
    op.create_table(
        "user_identity",
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_user_identity_user_id_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_user_identity")),
        sa.UniqueConstraint("issuer", "user_id", name=op.f("uq_user_identity_issuer_user_id")),
    )
    op.create_index(op.f("ix_user_identity_user_id"), "user_identity", ["user_id"])
    op.create_table(
        "pending_login",
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("browser", sa.String(), nullable=False),
        sa.Column("wanted", sa.String(), nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_pending_login")),
    )
    op.create_index(op.f("ix_pending_login_expires_at"), "pending_login", ["expires_at"])


def downgrade() -> None:
    op.drop_table("pending_login")
    op.drop_table("user_identity")
    with op.batch_alter_table("user") as user:
        user.drop_column("link_until")
