"""A venue's survey and model, from the disk."""

from fingerprints.readers import read_ndjson
from fingerprints.scan import LabelledScan
from kernel.ids import VenueId
from positioning.bundle import from_bytes
from positioning.model import VenueModel
from runtime.errors import UntrainedVenueError
from runtime.home import Home
from runtime.records.tenants import DEFAULT_TENANT
from runtime.survey_files import read_file


def load_survey(home: Home, venue_id: VenueId) -> tuple[LabelledScan, ...]:
    """The stored survey of a venue.

    Raises:
        UntrainedVenueError: it has none.
    """
    path = home.venues.survey_path(DEFAULT_TENANT, venue_id)
    if not path.exists():
        raise UntrainedVenueError(f"venue {venue_id} has no survey: `atrium survey import PATH --venue {venue_id}`")
    return read_ndjson(read_file(path), file=path.name).scans


def load_model(home: Home, venue_id: VenueId) -> VenueModel:
    """The stored model of a venue.

    Raises:
        UnknownVenueError: no such venue.
        UntrainedVenueError: it is not trained, or was not since its map or survey changed.
        BundleError: the file is damaged.
    """
    venue = home.venues.load_venue(DEFAULT_TENANT, venue_id)
    path = home.venues.model_path(DEFAULT_TENANT, venue_id)
    if not path.exists():
        raise UntrainedVenueError(f"venue {venue_id} is not trained: `atrium train --venue {venue_id}`")
    return from_bytes(path.read_bytes(), venue)
