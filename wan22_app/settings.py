"""Settings: the only reader of the environment.

The environment (``WAN22_…``) wins over ``config.json``, which wins over the defaults.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from wan22_app.config_file import PREFIX, PROJECT, ConfigFile, config_file, environment, refused
from wan22_app.domain.generation import Real, Whole

SQLITE = "sqlite:///"


def _named(value: object) -> object:
    """Refuse an empty name, which would mean the folder of config.json itself."""
    if isinstance(value, str) and not value.strip():
        raise ValueError("should name a folder")
    return value


def _placed(path: Path) -> Path:
    """Absolute, whatever the working directory: the dispatcher and the engine see the same."""
    try:
        path = path.expanduser()
    except RuntimeError as error:
        raise ValueError("should name a home that exists after ~") from error
    return path if path.is_absolute() else Path(os.path.normpath(config_file().parent / path))


def _database(url: str) -> str:
    """A relative SQLite file lies beside config.json, too."""
    file = url.removeprefix(SQLITE)
    if file == url or not file or file.startswith(":"):
        return url
    return SQLITE + _placed(Path(file)).as_posix()


def _hosts(value: object) -> object:
    """Names with commas between them, or a JSON list, out of the environment."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return tuple(name for name in (part.strip() for part in value.split(",")) if name)


Folder = Annotated[Path, BeforeValidator(_named), AfterValidator(_placed)]
Database = Annotated[str, AfterValidator(_database)]
Hosts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_hosts)]
Port = Annotated[Whole, Field(ge=1, le=65535)]


class Settings(BaseSettings):
    """Where things lie and how much is allowed. Raises CannotStart for what cannot be meant.

    Folders may begin with ``~``; relative ones are relative to the folder of ``config.json``.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
    )

    data: Folder = PROJECT / "data"
    """Database, locks, uploads, logs. On a disk of this machine, not on a network."""
    outputs: Folder = PROJECT / "outputs"
    """Finished videos and their posters."""
    models: Folder = PROJECT / "models"
    """Weights, each model in a folder of its own."""
    loras: Folder = PROJECT / "loras"
    """LoRA files."""
    database_url: Database = ""
    """Address of the database for SQLAlchemy; empty means `wan22.sqlite` in the data folder."""
    frontend_port: Port = 3000
    """Where browsers find the app."""
    backend_port: Port = 8000
    """Port of the backend in development mode; production serves all on the frontend port."""
    allowed_hosts: Hosts = ()
    """Host names besides this machine's own under which browsers may reach the app, for use
    behind a reverse proxy. In the environment with commas between them."""
    max_waiting: Whole = Field(default=10, ge=1)
    """Most waiting jobs per person."""
    daily_minutes: Real = Field(default=0.0, ge=0.0)
    """Minutes of the card that each person's jobs may take within 24 hours; 0 for no limit. The
    job that is at work then is finished, and the next one waits until enough time has passed."""
    refresh_seconds: Real = Field(default=5.0, ge=1.0, le=60.0)
    """Seconds between two samples of the machine's figures."""
    idle_minutes: Real = Field(default=10.0, gt=0)
    """Minutes without a job after which a loaded model leaves the card."""

    def __init__(self, **values: Any):
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise refused(error, type(self).model_fields) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """In the order in which they win."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, ConfigFile(settings_cls, config_file())

    @classmethod
    def origins(cls) -> Mapping[str, str]:
        """Where each setting that is no default comes from: a variable's name, or the file."""
        file = config_file()
        written = dict.fromkeys(ConfigFile(cls, file)(), str(file))
        variables = {k: v for k, v in environment().items() if k in cls.model_fields}
        return {**written, **variables}

    @property
    def database(self) -> str:
        """The SQLAlchemy address in force."""
        return self.database_url or f"sqlite:///{(self.data / 'wan22.sqlite').as_posix()}"

    @property
    def staging(self) -> Path:
        """Part files of running jobs, on the outputs' own file system."""
        return self.outputs / ".staging"

    @property
    def trials(self) -> Path:
        """What engines have tried on this machine's card: attention, compiled regions."""
        return self.data / "trials.json"

    @property
    def compiled(self) -> Path:
        """Compiled regions, by what they were compiled for."""
        return self.data / "compiled"

    @property
    def uploads(self) -> Path:
        """Start images that passed the gate, named by their hash."""
        return self.data / "uploads"

    @property
    def latents(self) -> Path:
        """What killed or failed runs had computed, so that the next one goes on."""
        return self.data / "latents"

    @property
    def embeddings(self) -> Path:
        """Prompts as the text encoders have read them; the engines keep the folder small."""
        return self.data / "embeddings"

    @property
    def quantized(self) -> Path:
        """Copies of transformers with eight-bit weights, which are read faster than made."""
        return self.data / "quantized"

    @property
    def logs(self) -> Path:
        """Logs of the dispatcher and the engines."""
        return self.data / "logs"

    @property
    def locks(self) -> Path:
        """Lock files; never deleted while the app may run."""
        return self.data / "locks"

    def folders(self) -> tuple[Path, ...]:
        """Every folder that must exist before anything starts."""
        return (
            self.data,
            self.outputs,
            self.staging,
            self.models,
            self.loras,
            self.uploads,
            self.latents,
            self.embeddings,
            self.quantized,
            self.logs,
            self.locks,
        )
