"""Atrium's own light locator, as it is shipped: trained on the survey, answering through ``LightLocator``."""

from typing import ClassVar

import numpy as np

from benchmarks.positioning.arrays import ScanArrays, SurveyArrays
from benchmarks.positioning.method import Answers
from kernel.ids import VenueId
from positioning.light import LightLocator
from positioning.train import train_venue


class Light:
    """Sørensen neighbours in several representations, calibrated (docs/algorithms/positioning.md)."""

    name: ClassVar[str] = "light"
    has_chance: ClassVar[bool] = False

    def __init__(self, seed: int) -> None:
        del seed

    def fit(self, survey: SurveyArrays) -> None:
        venue_id = VenueId("bench") if survey.venue is None else survey.venue.id
        self._locator = LightLocator((train_venue(survey.scans, survey.venue, venue_id=venue_id).model,))
        self._survey = survey

    def answer(self, scans: ScanArrays) -> Answers:
        found = [located.position for located in self._locator.locate(scans.scans)]
        keys = self._survey.radio_map.levels
        level_at = {(key.building, key.short_name): i for i, key in enumerate(keys)}
        level = np.array([-1 if p is None else level_at[p.building, p.level] for p in found], dtype=np.int32)
        lon_lat_deg = np.array([(np.nan, np.nan) if p is None else (p.lon_deg, p.lat_deg) for p in found])
        xy_m = self._survey.radio_map.frame.to_xy_m(lon_lat_deg)
        if self._survey.fronts is None:
            confidence = np.array([np.nan if p is None else p.confidence for p in found])
            return Answers(level, xy_m, level_probability=confidence)
        at = {store_id: i for i, store_id in enumerate(self._survey.store_ids)}
        width = max((len(p.candidates) for p in found if p is not None), default=1)
        store = np.full((len(found), width), -1, dtype=np.int32)
        probability = np.full((len(found), width), np.nan)
        for i, position in enumerate(found):
            for rank, candidate in enumerate(() if position is None else position.candidates):
                store[i, rank], probability[i, rank] = at[candidate.store_id], candidate.probability
        return Answers(level, xy_m, store, probability)
