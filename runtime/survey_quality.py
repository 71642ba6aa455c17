"""A stored survey judged: trained on without keeping the model, and what was found."""

from collections.abc import Callable

import numpy as np

from kernel.ids import VenueId
from positioning.errors import SurveyTooSmallError
from positioning.survey_quality import SurveyQuality, judge_survey
from positioning.train import TrainedVenue, train_venue
from runtime.home import Home
from runtime.models import load_survey
from runtime.records.tenants import DEFAULT_TENANT
from venues.model import Venue

_SEED = 20_261_122
"""Of the intervals, so that a report can be made again."""


def judge_stored(
    home: Home, venue_id: VenueId, tell: Callable[[str, float], None] | None = None
) -> tuple[SurveyQuality, Venue | None]:
    """Judge a venue's stored survey; and its map, None where it has none.

    Raises:
        UntrainedVenueError: it has no survey.
    """
    venue = home.venues.load_venue(DEFAULT_TENANT, venue_id)
    survey = load_survey(home, venue_id)
    trained: TrainedVenue | None
    try:
        trained = train_venue(survey, venue, venue_id=venue_id, progress=tell)
    except SurveyTooSmallError:
        trained = None
    return judge_survey(survey, venue, trained, rng=np.random.default_rng(_SEED)), venue
