"""The opened home of one installation: its settings, database, secret and venues."""

import os
from dataclasses import dataclass
from pathlib import Path

from runtime.clocks import SystemClock
from runtime.database import Database
from runtime.records.tenants import DEFAULT_TENANT, ensure_tenant
from runtime.secrets import ServerKeys, load_server_keys
from runtime.settings import Settings, load_settings, make_data_dir
from runtime.venue_store import VenueStore


@dataclass(frozen=True, slots=True)
class Home:
    """What commands and the server work on."""

    settings: Settings
    database: Database
    keys: ServerKeys
    venues: VenueStore


def open_home(data_dir: Path | None = None, **overrides: object) -> Home:
    """Open the data folder, making it on first use, and bring its database up to date.

    Raises:
        SettingsError: a setting makes no sense or the folder cannot be used.
        StorageError: the database cannot be opened.
    """
    settings = load_settings(os.environ, data_dir).model_copy(update=overrides)
    make_data_dir(settings)
    database = Database(settings.database_url)
    database.upgrade()
    with database.write() as connection:
        ensure_tenant(connection, DEFAULT_TENANT, "Default", SystemClock().now())
    return Home(settings, database, load_server_keys(settings.data_dir), VenueStore(settings.venues_dir))
