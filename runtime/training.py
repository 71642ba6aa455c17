"""A stored survey becomes a stored model. Apart from ``models.py``: what only answers does not load what trains."""

from collections.abc import Callable

from kernel.ids import VenueId
from positioning.bundle import to_bytes
from positioning.train import TrainedVenue, train_venue
from runtime.home import Home
from runtime.models import load_survey
from runtime.rankers import load_ranker
from runtime.records.tenants import DEFAULT_TENANT


def train_stored(home: Home, venue_id: VenueId, tell: Callable[[str, float], None] | None = None) -> TrainedVenue:
    """Compile a venue's stored survey, store the model, and give it back with its quality."""
    venue = home.venues.load_venue(DEFAULT_TENANT, venue_id)
    trained = train_venue(load_survey(home, venue_id), venue, venue_id=venue_id, progress=tell, ranker=load_ranker())
    home.venues.save_model(DEFAULT_TENANT, venue_id, to_bytes(trained.model))
    return trained
