"""The newest videos of a model, whoever's: what estimates are drawn from."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INDEX = "ix_output_model_created_at"


def upgrade() -> None:
    op.create_index(INDEX, "output", ["model", "created_at"])


def downgrade() -> None:
    op.drop_index(INDEX, "output")
