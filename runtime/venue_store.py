"""Venues on disk: one folder a venue with its map, survey and model; each file whole or absent.

venues/<tenant>/<venue>/map.imdf.zip    the map, an IMDF archive with the venue's time zone (absent for a venue without
                                        polygons)
                        survey.ndjson   labelled scans, one a line
                        sensitive.txt   store ids and categories, one a line, that are sensitive here too (absent: none)
                        model.npz       the radio map compiled, with calibration: the live version
                        versions/       the last few of them (``model_versions.py``)
"""

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kernel.clock import to_epoch_us
from kernel.ids import StoreId, TenantId, VenueId
from runtime.errors import UnknownVenueError, VenueFileError
from runtime.files import write_whole
from runtime.model_versions import Kind, ModelVersions
from runtime.records.schema import venues
from runtime.records.upsert import upsert
from runtime.venue_zones import check_time_zone, zone_told_by
from venues.archive import ImdfArchive
from venues.build import build_venue
from venues.imdf import read_archive, write_archive
from venues.model import Venue
from venues.sensitive import sensitive_stores
from venues.time_zone import time_zone_of, with_time_zone

_VENUE_ID = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}$")


def check_venue_id(text: str) -> VenueId:
    """A venue's id is part of a path and of URLs: lower-case letters, digits, dashes.

    Raises:
        VenueFileError: it is none.
    """
    if not _VENUE_ID.match(text):
        raise VenueFileError(
            f"a venue id has up to 64 lower-case letters, digits, '-' or '_' and begins with a letter or digit, "
            f"found {text[:80]!r}"
        )
    return VenueId(text)


class VenueStore:
    """The venue folders below one root, and the table that lists them."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, tenant: TenantId, venue_id: VenueId) -> Path:
        """Where a venue's files are."""
        return self._root / tenant / check_venue_id(venue_id)

    def venue_ids(self, tenant: TenantId) -> list[VenueId]:
        """The venues of a tenant that have a folder."""
        folder = self._root / tenant
        return sorted(VenueId(path.name) for path in folder.iterdir()) if folder.is_dir() else []

    def map_path(self, tenant: TenantId, venue_id: VenueId) -> Path:
        """The venue's IMDF archive."""
        return self.folder(tenant, venue_id) / "map.imdf.zip"

    def survey_path(self, tenant: TenantId, venue_id: VenueId) -> Path:
        """The venue's survey."""
        return self.folder(tenant, venue_id) / "survey.ndjson"

    def model_path(self, tenant: TenantId, venue_id: VenueId) -> Path:
        """The venue's compiled model."""
        return self.folder(tenant, venue_id) / "model.npz"

    def sensitive_path(self, tenant: TenantId, venue_id: VenueId) -> Path:
        """The venue's own list of sensitive stores."""
        return self.folder(tenant, venue_id) / "sensitive.txt"

    def sensitive_lines(self, tenant: TenantId, venue_id: VenueId) -> list[str]:
        """The venue's own list of ids and categories; none where there is no file.

        Raises:
            VenueFileError: the file cannot be read as text. It lists something, so no list is not what it says.
        """
        path = self.sensitive_path(tenant, venue_id)
        try:
            lines = path.read_text("utf-8-sig").splitlines()  # some editors begin a file with a mark
        except FileNotFoundError:
            return []
        except (OSError, UnicodeError) as error:
            raise VenueFileError(f"expected UTF-8 in {path.name} of venue {venue_id}, found: {error}") from error
        return [line.strip() for line in lines if not line.startswith("#")]

    def sensitive_of(self, tenant: TenantId, venue: Venue | None, venue_id: VenueId) -> frozenset[StoreId]:
        """The sensitive stores of a venue: by its map's categories, and by its own list.

        Raises:
            VenueFileError: the list cannot be read.
        """
        return sensitive_stores(venue, self.sensitive_lines(tenant, venue_id))

    def save_map(
        self,
        connection: Connection,
        tenant: TenantId,
        venue_id: VenueId,
        archive: ImdfArchive,
        source_format: str,
        at: datetime,
        time_zone: str | None = None,
    ) -> Venue:
        """Store a map, replacing an earlier one; a model made on that is dropped, since its stores may be gone.

        The map keeps the zone given here; without one that of the map it replaces, else the one it tells itself.

        Raises:
            VenueFileError: there is no such time zone.
        """
        zone = time_zone or self._known_zone(tenant, check_venue_id(venue_id)) or time_zone_of(archive)
        if zone is not None:
            archive = with_time_zone(archive, check_time_zone(zone))
        venue = build_venue(archive, venue_id)
        write_whole(self.map_path(tenant, venue_id), write_archive(archive))
        self.versions(tenant, venue_id).clear()
        _list(connection, tenant, venue, source_format, at)
        return venue

    def save_bare(
        self, connection: Connection, tenant: TenantId, venue_id: VenueId, source_format: str, at: datetime
    ) -> None:
        """Make a venue without polygons, for a survey without a map."""
        self.folder(tenant, check_venue_id(venue_id)).mkdir(parents=True, exist_ok=True)
        upsert(connection, venues, [_row(tenant, venue_id, venue_id, source_format, 0, 0, at)])

    def exists(self, connection: Connection, tenant: TenantId, venue_id: VenueId) -> bool:
        """Whether the tenant has this venue."""
        query = sa.select(venues.c.id).where(venues.c.tenant_id == tenant, venues.c.id == venue_id)
        return connection.execute(query).first() is not None

    def load_venue(self, tenant: TenantId, venue_id: VenueId) -> Venue | None:
        """The venue on its map; None for a venue without polygons.

        Raises:
            UnknownVenueError: there is no such venue.
        """
        if not self.folder(tenant, venue_id).is_dir():
            raise UnknownVenueError(venue_id)
        path = self.map_path(tenant, venue_id)
        return build_venue(read_archive(path.read_bytes()).archive, venue_id) if path.exists() else None

    def time_zone(self, tenant: TenantId, venue_id: VenueId) -> str | None:
        """The time zone of a venue; None where its map tells none, or it has no map.

        Raises:
            VenueFileError: the map cannot be read.
        """
        path = self.map_path(tenant, venue_id)
        return zone_told_by(path.read_bytes()) if path.exists() else None

    def _known_zone(self, tenant: TenantId, venue_id: VenueId) -> str | None:
        try:
            return self.time_zone(tenant, venue_id)
        except VenueFileError:
            return None  # a damaged map is replaced by a good one all the same

    def save_survey(self, tenant: TenantId, venue_id: VenueId, lines: Iterable[bytes]) -> None:
        """Store a survey, replacing an earlier one; the model no longer fits and is dropped."""
        write_whole(self.survey_path(tenant, venue_id), b"".join(line + b"\n" for line in lines))
        self.versions(tenant, venue_id).clear()

    def save_model(
        self, tenant: TenantId, venue_id: VenueId, data: bytes, kind: Kind = "trained", note: str = ""
    ) -> None:
        """Store a compiled model as a new version; a running server takes it up within a second."""
        self.versions(tenant, venue_id).add(data, kind, note)

    def versions(self, tenant: TenantId, venue_id: VenueId) -> ModelVersions:
        """The versions of the venue's model."""
        return ModelVersions(self.model_path(tenant, venue_id))


def list_venues(connection: Connection, tenant: TenantId) -> list[sa.Row[tuple[object, ...]]]:
    """The tenant's venues by id."""
    return list(connection.execute(sa.select(venues).where(venues.c.tenant_id == tenant).order_by(venues.c.id)))


def _list(connection: Connection, tenant: TenantId, venue: Venue, source_format: str, at: datetime) -> None:
    row = _row(tenant, venue.id, venue.name, source_format, len(venue.levels), len(venue.stores), at)
    upsert(connection, venues, [row])


def _row(
    tenant: TenantId, venue_id: VenueId, name: str, source_format: str, n_levels: int, n_stores: int, at: datetime
) -> dict[str, object]:
    return {
        "tenant_id": tenant,
        "id": venue_id,
        "name": name,
        "format": source_format,
        "n_levels": n_levels,
        "n_stores": n_stores,
        "imported_us": to_epoch_us(at),
    }
