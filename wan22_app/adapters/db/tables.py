"""The tables. The browser and the services never see these classes."""

# pyright: reportAssignmentType=false, reportIncompatibleVariableOverride=false
# SQLModel declares __tablename__ as a method and takes a string.

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.engine import Dialect
from sqlmodel import Column, Field, SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in, aware UTC out: SQLite forgets the zone, and a naive time lies."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times; store UTC."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a naive datetime must not be stored")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back that SQLite dropped."""
        return None if value is None else value.replace(tzinfo=value.tzinfo or UTC)


DRAFT = text("until > 0")
"""A job that is a draft; written out, as a partial index is used for the same words only."""


class PersonRow(SQLModel, table=True):
    """Somebody who owns jobs, outputs and LoRAs."""

    __tablename__ = "person"
    id: str = Field(primary_key=True, max_length=64)
    name: str
    paused: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    served: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


class JobRow(SQLModel, table=True):
    """One job. ``request``, ``asked``, ``plan``, ``relief``, ``progress`` and ``problem`` are JSON.

    ``number`` counts submissions; ``place`` orders the queue and is what a reorder permutes.
    """

    __tablename__ = "job"
    __table_args__ = (
        UniqueConstraint("owner", "key", name="uq_job_owner_key"),
        Index("ix_job_state_owner_number", "state", "owner", "number"),
        Index("ix_job_owner_number", "owner", "number"),
        Index("ix_job_owner_finished_at", "owner", "finished_at"),
        Index("ix_job_state_owner_hold_place", "state", "owner", "hold", "place"),
        Index("ix_job_owner_state_place", "owner", "state", "place"),
        # Of drafts alone: pages look for them four times a second, among all that ever ended.
        Index("ix_job_drafts", "owner", "finished_at", sqlite_where=DRAFT, postgresql_where=DRAFT),
    )
    id: str = Field(primary_key=True, max_length=32)
    number: int = Field(unique=True)
    place: int = Field(index=True)
    owner: str = Field(sa_column=Column(ForeignKey("person.id"), nullable=False))
    key: str = Field(max_length=64)
    request: str = Field(sa_column=Column(Text, nullable=False))
    state: str = Field(max_length=16)
    hold: str = Field(default="", max_length=16)
    cancel_requested: bool = False
    attempts: int = 0
    epoch: int = 0
    revision: int = Field(default=0, index=True)
    parent_id: str | None = Field(default=None, max_length=32)
    latents_of: str = Field(default="", max_length=32, sa_column_kwargs={"server_default": ""})
    until: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    asked: str | None = Field(default=None, sa_column=Column(Text))
    plan: str | None = Field(default=None, sa_column=Column(Text))
    relief: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    progress: str | None = Field(default=None, sa_column=Column(Text))
    problem: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    started_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    finished_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    removed_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class JobEventRow(SQLModel, table=True):
    """One line of a job's story."""

    __tablename__ = "job_event"
    id: int | None = Field(default=None, primary_key=True)
    job_id: str = Field(sa_column=Column(ForeignKey("job.id"), nullable=False, index=True))
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    kind: str = Field(max_length=16)
    text: str
    problem: str | None = Field(default=None, sa_column=Column(Text))


class OutputRow(SQLModel, table=True):
    """A published video. Its key is the job's: at most one output for a job.

    ``search`` is the prompt as it is searched (folded case), ``model`` a copy out of the request.
    """

    __tablename__ = "output"
    __table_args__ = (
        Index("ix_output_owner_created_at", "owner", "created_at"),
        Index("ix_output_model_created_at", "model", "created_at"),
    )
    id: str = Field(sa_column=Column(ForeignKey("job.id"), primary_key=True))
    owner: str = Field(sa_column=Column(ForeignKey("person.id"), nullable=False))
    request: str = Field(sa_column=Column(Text, nullable=False))
    video: str
    poster: str
    width: int
    height: int
    frames: int
    fps: int
    bytes: int
    sha256: str
    latents_sha256: str
    seconds: str = Field(sa_column=Column(Text, nullable=False))
    asked: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    model: str = Field(max_length=80)
    search: str = Field(sa_column=Column(Text, nullable=False))
    favourite: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    deleted_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class ExperienceRow(SQLModel, table=True):
    """Relief with which a model could make a video of this many pixels on this device."""

    __tablename__ = "experience"
    model: str = Field(primary_key=True, max_length=80)
    device: str = Field(primary_key=True, max_length=80)
    pixels: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    relief: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class MeasuredRow(SQLModel, table=True):
    """What runs of this size and placement have taken: of equal ones the larger peaks."""

    __tablename__ = "measured"
    model: str = Field(primary_key=True, max_length=80)
    device: str = Field(primary_key=True, max_length=80)
    software: str = Field(primary_key=True, max_length=80)
    setup: str = Field(primary_key=True, max_length=80)
    size: str = Field(primary_key=True, max_length=80)
    figures: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class SampleRow(SQLModel, table=True):
    """The machine's figures at one moment. What the machine does not tell is NULL, never zero."""

    __tablename__ = "sample"
    at: datetime = Field(sa_column=Column(UtcDateTime, primary_key=True))
    cpu_percent: float
    ram_used: int = Field(sa_column=Column(BigInteger, nullable=False))
    ram_total: int = Field(sa_column=Column(BigInteger, nullable=False))
    gpu_percent: float | None = None
    vram_used: int | None = Field(default=None, sa_column=Column(BigInteger))
    vram_total: int | None = Field(default=None, sa_column=Column(BigInteger))
    disk_free: int = Field(sa_column=Column(BigInteger, nullable=False))
    disk_total: int = Field(sa_column=Column(BigInteger, nullable=False))


class SettingRow(SQLModel, table=True):
    """A default that was changed on a page; ``value`` is JSON. It wins over files and code."""

    __tablename__ = "setting"
    name: str = Field(primary_key=True, max_length=64)
    value: str = Field(sa_column=Column(Text, nullable=False))


class PresetRow(SQLModel, table=True):
    """A person's named partial request; ``fields`` is JSON."""

    __tablename__ = "preset"
    __table_args__ = (UniqueConstraint("owner", "name", name="uq_preset_owner_name"),)
    id: str = Field(primary_key=True, max_length=32)
    owner: str = Field(sa_column=Column(ForeignKey("person.id"), nullable=False))
    name: str = Field(max_length=60)
    fields: str = Field(sa_column=Column(Text, nullable=False))


class DownloadRow(SQLModel, table=True):
    """Weights on their way to this machine. Bytes, not GiB."""

    __tablename__ = "download"
    id: str = Field(primary_key=True, max_length=32)
    owner: str = Field(sa_column=Column(ForeignKey("person.id"), nullable=False))
    model: str = Field(max_length=80, index=True)
    state: str = Field(max_length=16, index=True)
    cancel_requested: bool = False
    attempts: int = 0
    done_bytes: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    total_bytes: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    bytes_per_second: float = 0.0
    problem: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    retry_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    finished_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class LoraRow(SQLModel, table=True):
    """A LoRA file and who brought it."""

    __tablename__ = "lora"
    file: str = Field(primary_key=True, max_length=200)
    owner: str = Field(sa_column=Column(ForeignKey("person.id"), nullable=False))
    sha256: str = Field(default="", max_length=64)


class LeaseRow(SQLModel, table=True):
    """Who does a duty that only one process may do. On one host the file lock decides."""

    __tablename__ = "lease"
    name: str = Field(primary_key=True, max_length=32)
    holder: str
    until: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class CounterRow(SQLModel, table=True):
    """A number that only grows: the queue's order and the jobs' revisions."""

    __tablename__ = "counter"
    name: str = Field(primary_key=True, max_length=32)
    value: int = 0
