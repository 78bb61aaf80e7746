"""Whose saved latents a job decodes, and what was asked where something less was made."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("job") as job:
        job.add_column(
            sa.Column("latents_of", sa.String(length=32), nullable=False, server_default="")
        )
        job.add_column(sa.Column("asked", sa.Text(), nullable=True))
    with op.batch_alter_table("output") as output:
        output.add_column(sa.Column("asked", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("output") as output:
        output.drop_column("asked")
    with op.batch_alter_table("job") as job:
        job.drop_column("asked")
        job.drop_column("latents_of")
