"""What runs have taken, so that plans are told by more than arithmetic."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEY = ("model", "device", "software", "setup", "size")


def upgrade() -> None:
    op.create_table(
        "measured",
        *(sa.Column(name, sa.String(length=80), nullable=False) for name in KEY),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(*KEY, name="pk_measured"),
    )


def downgrade() -> None:
    op.drop_table("measured")
