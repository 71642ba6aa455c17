"""The full locator: candidates, pair features, the shared ranker, the venue's calibration; one venue or many resident.

Level, place, ``accuracy_m``, ``in_store`` and "outside" are the light locator's, from the same neighbours.
"""

from collections.abc import Sequence

import numpy as np

from positioning.compiled import AnsweringVenue, compile_full, compile_light
from positioning.errors import RankerError
from positioning.kernels.fronts import N_FEATURES
from positioning.kernels.ranked import describe_ranked
from positioning.light import LightLocator
from positioning.model import VenueModel
from positioning.pairs import Pairs
from positioning.position import LocatorName
from positioning.radio_map import F32, F64, I32
from positioning.ranker import Ranker


class FullLocator(LightLocator):
    """Implements ``ports.Locator``. A venue without stores, and scans of beacons alone, are answered as by the light
    locator."""

    locator_name: LocatorName = "full"

    def __init__(self, models: Sequence[VenueModel], ranker: Ranker) -> None:
        """Count the models' surveys by store.

        Raises:
            RankerError: a model was calibrated for another ranker.
        """
        self._ranker = ranker
        super().__init__(models)

    def _compile(self, model: VenueModel) -> AnsweringVenue:
        if model.fronts is None:
            return compile_light(model)
        if model.calibration.ranker != self._ranker.sha256:
            raise RankerError(
                f"venue {model.venue_id} is calibrated for ranker {model.calibration.ranker[:12] or 'none'}, not for "
                f"{self._ranker.sha256[:12]}: `atrium train --venue {model.venue_id}`"
            )
        return compile_full(model, self._ranker)


def weigh_evidence(pairs: Pairs, score: F32, accuracy_m: F64, m_front: I32, m_inside: I32) -> F64:
    """(n, n_candidates, 7): the ranker's score, and what speaks for each store in the light locator
    (``kernels/ranked.py``)."""
    settled = pairs.settled
    n_stores = int(max(pairs.store.max(initial=-1), m_front.max(initial=-1), m_inside.max(initial=-1))) + 1
    evidence = np.empty((*pairs.store.shape, 1 + N_FEATURES))
    share = np.empty(len(pairs.store))
    describe_ranked(
        pairs.store,
        pairs.n_described,
        score,
        pairs.front_m,
        accuracy_m,
        settled.index,
        settled.weight,
        m_front,
        m_inside,
        n_stores,
        evidence,
        share,
    )
    return evidence
