"""Settings: the environment and options, read once, frozen."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field

from runtime.errors import SettingsError

DATABASE_FILE = "atrium.db"
ClockKind = Literal["system", "events"]
LocatorKind = Literal["light", "full"]


class Settings(BaseModel):
    """Where state lives and how the server runs."""

    model_config = ConfigDict(frozen=True)

    data_dir: Path
    database_url: str
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    clock: ClockKind = "system"
    tracks: bool = True
    locator: LocatorKind = "light"
    local_webhooks: bool = False

    @property
    def venues_dir(self) -> Path:
        """The folder of maps, surveys and models, one folder a venue."""
        return self.data_dir / "venues"


def load_settings(environ: Mapping[str, str], data_dir: Path | None = None) -> Settings:
    """Read ``ATRIUM_DATA_DIR``, ``ATRIUM_DATABASE_URL`` and ``ATRIUM_LOCAL_WEBHOOKS``; an option given beats them.

    Raises:
        SettingsError: a data directory that is a file, a database that this version cannot use, or a switch that is
            neither 0 nor 1.
    """
    folder = data_dir or Path(environ.get("ATRIUM_DATA_DIR") or platformdirs.user_data_path("atrium"))
    folder = folder.expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"the data directory {folder} is a file")
    url = environ.get("ATRIUM_DATABASE_URL") or f"sqlite:///{folder / DATABASE_FILE}"
    if not url.startswith("sqlite:"):
        raise SettingsError("ATRIUM_DATABASE_URL: this version stores its records in SQLite (sqlite:///PATH)")
    local = environ.get("ATRIUM_LOCAL_WEBHOOKS") or "0"
    if local not in {"0", "1"}:
        raise SettingsError("ATRIUM_LOCAL_WEBHOOKS: expected 1 (webhooks may go to this machine, over http) or 0")
    return Settings(data_dir=folder, database_url=url, local_webhooks=local == "1")


def make_data_dir(settings: Settings) -> None:
    """Make the data folder, readable by its owner alone.

    Raises:
        SettingsError: it cannot be made or written.
    """
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings.venues_dir.mkdir(exist_ok=True)
    except OSError as error:
        raise SettingsError(f"cannot make the data directory {settings.data_dir}: {error.strerror}") from error
    if not os.access(settings.data_dir, os.W_OK):
        raise SettingsError(f"cannot write to the data directory {settings.data_dir}")
