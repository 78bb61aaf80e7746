"""After which step a draft ends."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("job") as job:
        job.add_column(sa.Column("until", sa.Integer(), nullable=False, server_default="0"))
    drafts = sa.text("until > 0")
    op.create_index(
        "ix_job_drafts", "job", ["owner", "finished_at"],
        sqlite_where=drafts, postgresql_where=drafts,
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_job_drafts", "job")
    with op.batch_alter_table("job") as job:
        job.drop_column("until")
