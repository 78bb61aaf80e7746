"""What the working pages need: places, pauses, search, favourites, bin, figures, downloads."""

import json
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("person") as person:
        person.add_column(
            sa.Column("paused", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    _add_places()
    _add_search()
    _create_tables()


def _add_places() -> None:
    """The queue keeps its order: each job's place is its number."""
    with op.batch_alter_table("job") as job:
        job.add_column(sa.Column("place", sa.Integer(), nullable=True))
    op.execute("UPDATE job SET place = number")
    with op.batch_alter_table("job") as job:
        job.alter_column("place", existing_type=sa.Integer(), nullable=False)
        job.create_index("ix_job_place", ["place"], unique=False)
        job.create_index("ix_job_owner_finished_at", ["owner", "finished_at"], unique=False)


def _add_search() -> None:
    with op.batch_alter_table("output") as output:
        output.add_column(sa.Column("model", sa.String(length=80), nullable=True))
        output.add_column(sa.Column("search", sa.Text(), nullable=True))
        output.add_column(
            sa.Column("favourite", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        output.add_column(sa.Column("deleted_at", TIME, nullable=True))
    connection = op.get_bind()
    update = sa.text("UPDATE output SET model = :model, search = :search WHERE id = :id")
    for row in connection.execute(sa.text("SELECT id, request FROM output")).all():
        request = json.loads(row.request)
        search = unicodedata.normalize("NFKC", request["prompt"]).casefold()
        connection.execute(update, {"id": row.id, "model": request["model"], "search": search})
    with op.batch_alter_table("output") as output:
        output.alter_column("model", existing_type=sa.String(length=80), nullable=False)
        output.alter_column("search", existing_type=sa.Text(), nullable=False)


def _create_tables() -> None:
    op.create_table(
        "sample",
        sa.Column("at", TIME, nullable=False),
        sa.Column("cpu_percent", sa.Float(), nullable=False),
        sa.Column("ram_used", sa.BigInteger(), nullable=False),
        sa.Column("ram_total", sa.BigInteger(), nullable=False),
        sa.Column("gpu_percent", sa.Float(), nullable=True),
        sa.Column("vram_used", sa.BigInteger(), nullable=True),
        sa.Column("vram_total", sa.BigInteger(), nullable=True),
        sa.Column("disk_free", sa.BigInteger(), nullable=False),
        sa.Column("disk_total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("at", name="pk_sample"),
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_setting"),
    )
    op.create_table(
        "preset",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["owner"], ["person.id"], name="fk_preset_owner_person"),
        sa.PrimaryKeyConstraint("id", name="pk_preset"),
        sa.UniqueConstraint("owner", "name", name="uq_preset_owner_name"),
    )
    op.create_table(
        "download",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("model", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("done_bytes", sa.BigInteger(), nullable=False),
        sa.Column("total_bytes", sa.BigInteger(), nullable=False),
        sa.Column("bytes_per_second", sa.Float(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("retry_at", TIME, nullable=True),
        sa.Column("finished_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["owner"], ["person.id"], name="fk_download_owner_person"),
        sa.PrimaryKeyConstraint("id", name="pk_download"),
    )
    op.create_index("ix_download_model", "download", ["model"], unique=False)
    op.create_index("ix_download_state", "download", ["state"], unique=False)


def downgrade() -> None:
    for table in ("download", "preset", "setting", "sample"):
        op.drop_table(table)
    with op.batch_alter_table("output") as output:
        for column in ("deleted_at", "favourite", "search", "model"):
            output.drop_column(column)
    with op.batch_alter_table("job") as job:
        job.drop_index("ix_job_owner_finished_at")
        job.drop_index("ix_job_place")
        job.drop_column("place")
    with op.batch_alter_table("person") as person:
        person.drop_column("paused")
