"""Settings: the only reader of the environment."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT = Path(__file__).resolve().parents[1]
"""The checkout that holds the package, ``alembic/`` and ``rxconfig.py``."""


class Settings(BaseSettings):
    """Where things lie and how much is allowed. Each field can be set as ``WAN22_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="WAN22_", frozen=True, extra="ignore")

    data: Path = PROJECT / "data"
    """Database, locks, uploads, latents of unfinished jobs, logs. A local disk."""
    outputs: Path = PROJECT / "outputs"
    models: Path = PROJECT / "models"
    loras: Path = PROJECT / "loras"
    database_url: str = ""
    """SQLAlchemy address; empty means ``data/wan22.sqlite``."""
    frontend_port: int = Field(default=3000, ge=1, le=65535)
    backend_port: int = Field(default=8000, ge=1, le=65535)
    """Backend port of the dev mode; production serves everything on the frontend port."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names besides loopback under which browsers may reach the app (reverse proxy)."""
    max_waiting: int = Field(default=10, ge=1)
    """Most waiting jobs per person."""
    idle_minutes: float = Field(default=10.0, gt=0)
    """A warm engine process ends after this time without a job."""

    @property
    def database(self) -> str:
        """The SQLAlchemy address in force."""
        return self.database_url or f"sqlite:///{(self.data / 'wan22.sqlite').as_posix()}"

    @property
    def staging(self) -> Path:
        """Part files of running jobs, on the outputs' own file system."""
        return self.outputs / ".staging"

    @property
    def uploads(self) -> Path:
        """Start images that passed the gate, named by their hash."""
        return self.data / "uploads"

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
            self.logs,
            self.locks,
        )
