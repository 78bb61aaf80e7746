"""What a job needs after memory was short, what worked before, and who was served last."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("job") as job:
        job.add_column(sa.Column("relief", sa.Text(), nullable=False, server_default=""))
        # Who may be next, and a person's page, at the same cost however many jobs wait.
        job.create_index("ix_job_state_owner_hold_place", ["state", "owner", "hold", "place"])
        job.create_index("ix_job_owner_state_place", ["owner", "state", "place"])
    with op.batch_alter_table("person") as person:
        person.add_column(sa.Column("served", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "experience",
        sa.Column("model", sa.String(length=80), nullable=False),
        sa.Column("device", sa.String(length=80), nullable=False),
        sa.Column("pixels", sa.BigInteger(), nullable=False),
        sa.Column("relief", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("model", "device", "pixels", name="pk_experience"),
    )


def downgrade() -> None:
    op.drop_table("experience")
    with op.batch_alter_table("person") as person:
        person.drop_column("served")
    with op.batch_alter_table("job") as job:
        job.drop_index("ix_job_owner_state_place")
        job.drop_index("ix_job_state_owner_hold_place")
        job.drop_column("relief")
