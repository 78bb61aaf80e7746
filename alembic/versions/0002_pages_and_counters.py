"""Pages of a long history read by index; counters exist before two writers could create them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COUNTERS = ("number", "revision", "free_card")


def upgrade() -> None:
    op.create_index("ix_job_owner_number", "job", ["owner", "number"], unique=False)
    missing = sa.text(
        "INSERT INTO counter (name, value) SELECT :name, 0 "
        "WHERE NOT EXISTS (SELECT 1 FROM counter WHERE name = :name)"
    )
    for name in COUNTERS:
        op.execute(missing.bindparams(name=name))


def downgrade() -> None:
    op.drop_index("ix_job_owner_number", table_name="job")
