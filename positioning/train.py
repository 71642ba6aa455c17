"""From a survey to a model: compile, choose on held-out walks, calibrate on held-out answers, say how good it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fingerprints.scan import LabelledScan
from fingerprints.transmitters import is_beacon
from kernel.ids import VenueId
from positioning.calibrate import HeldOut, fit_error, fit_fronts, fit_later, fit_level
from positioning.choose import HeldOutScans, choose_radios, choose_settings
from positioning.confidence import predict_error_m
from positioning.damage import hear_later
from positioning.fronts import FrontTable, build_front_table
from positioning.held_out import HeldOutAnswers, HoldOut, join_answers, plan_hold_out
from positioning.inside import inside_odds_held_out
from positioning.kernels.fronts import N_FEATURES
from positioning.locate import Answers, Fronts, Settled, find_fronts, judge
from positioning.model import Calibration, Settings, VenueModel, assemble_model, survey_fronts
from positioning.outside import fit_outside
from positioning.radio_map import (
    F64,
    I32,
    I64,
    RadioMap,
    choose_scans,
    choose_transmitters,
    compile_radio_map,
    number_visits,
)
from positioning.radios import merge_radios
from positioning.rank_train import fit_rank
from positioning.ranker import Ranker
from positioning.score import UNDEFINED, Figures, Scored, inside_rank, rank_of, summarise
from venues.model import Venue

Progress = Callable[[str, float], None]
"""Told what is being done and the share that is done, 0 to 1."""
_MAX_HELD_OUT = 6_000
_MAX_DAMAGED = 2_000
_LEAST_STRICT = 20
"""Answers without their whole walk from which the error is learnt; of fewer, those without a piece of it say more."""
MIN_BEACON_SCANS = 100
MIN_BEACONS = 3
"""A survey with less of beacons has no model of them alone: there would be nothing to hold out."""


@dataclass(frozen=True, slots=True)
class TrainedVenue:
    """The model, and its figures on survey walks that its calibration did not see.

    ``held_out`` are the answers behind ``quality``; ``hold_out`` what was left out for each. Where nothing could be
    left out (a survey of one spot), ``is_held_out`` is False: each scan then found itself, and the figures say nothing.
    """

    model: VenueModel
    quality: Figures
    held_out: HeldOutAnswers
    hold_out: HoldOut
    is_held_out: bool
    n_survey_scans: int
    n_used_scans: int


def train_venue(
    survey: Sequence[LabelledScan],
    venue: Venue | None,
    *,
    venue_id: VenueId,
    progress: Progress | None = None,
    ranker: Ranker | None = None,
) -> TrainedVenue:
    """Train a venue's model; without a map, answers have level and place but no stores.

    Args:
        ranker: also fitted to the venue where it is given, for the full locator.

    Raises:
        SurveyTooSmallError: nothing in the survey can be matched.
    """
    tell = progress or (lambda _what, _share: None)
    fronts = None if venue is None else build_front_table(venue)
    of_beacons = hear_beacons_alone(survey)
    share = 1.0 if of_beacons is None else 0.8
    trained = _train(survey, venue, fronts, venue_id, lambda what, done: tell(what, share * done), ranker)
    if of_beacons is not None:
        beacons = _train(
            of_beacons, venue, fronts, venue_id, lambda what, done: tell(f"beacons alone: {what}", share + 0.2 * done)
        )
        trained = replace(trained, model=replace(trained.model, beacons=beacons.model))
    tell("done", 1.0)
    return trained


def hear_beacons_alone(survey: Sequence[LabelledScan]) -> list[LabelledScan] | None:
    """The survey as a phone hears it that tells of beacons alone; None where that is all of it, or too little of it."""
    out = []
    has_more = False
    for item in survey:
        readings = tuple(reading for reading in item.scan.readings if is_beacon(reading.transmitter))
        has_more = has_more or len(readings) < len(item.scan.readings)
        if readings:
            out.append(replace(item, scan=replace(item.scan, readings=readings)))
    n_beacons = len(choose_transmitters([item.scan for item in out]))
    return out if has_more and len(out) >= MIN_BEACON_SCANS and n_beacons >= MIN_BEACONS else None


def _train(
    survey: Sequence[LabelledScan],
    venue: Venue | None,
    fronts: FrontTable | None,
    venue_id: VenueId,
    tell: Progress,
    ranker: Ranker | None = None,
) -> TrainedVenue:
    tell("compiling the radio map", 0.0)
    by_address = compile_radio_map(survey, venue)
    tell("choosing how to match", 0.2)
    by_address = choose_radios(by_address)
    radio_map = merge_radios(by_address)
    settings = choose_settings(radio_map).settings
    tell("answering held-out walks", 0.6)
    asked = np.unique(np.linspace(0, radio_map.n_scans - 1, _MAX_HELD_OUT).astype(np.int64))
    visit = number_visits(choose_scans(survey, radio_map.index))
    walk = radio_map.walk if visit is None else visit
    hold_out = plan_hold_out(walk, survey_fronts(radio_map, fronts)[2])
    trial = _Trial.of(radio_map, settings, fronts, asked, walk)
    if hold_out.is_thin:
        trial = replace(_Trial.of(radio_map, settings, fronts, asked, hold_out.group), by_walk=trial)
    if fronts is not None:
        later = _Trial.of(radio_map, settings, fronts, asked, hold_out.group, is_later=True)
        trial = replace(trial, later=later)
    tell("fitting confidence", 0.8)
    calibration = trial.fit(np.arange(len(trial.asked)))
    scored, answers = trial.cross_fitted()
    quality = summarise(scored)
    damaged = np.unique(np.linspace(0, radio_map.n_scans - 1, _MAX_DAMAGED).astype(np.int64))
    held_out = HeldOutScans.of(replace(radio_map, walk=hold_out.group), damaged)
    calibration = replace(calibration, outside=fit_outside(radio_map, settings, held_out))
    if ranker is not None and fronts is not None:
        tell("fitting the ranker's confidence", 0.9)
        of_survey = (trial.front_level, trial.m_front, trial.m_inside)
        calibration = fit_rank(
            calibration, radio_map, settings, fronts, of_survey, len(fronts.store_ids), asked, hold_out.group, ranker
        )
    return TrainedVenue(
        assemble_model(venue_id, by_address, settings, calibration, fronts),
        quality,
        answers,
        hold_out,
        trial.is_held_out,
        n_survey_scans=len(survey),
        n_used_scans=radio_map.n_scans,
    )


@dataclass(frozen=True, slots=True)
class _Trial:
    """Held-out answers to survey scans, ready to be fitted and scored in parts. Unanswered scans are left out.

    ``by_walk`` are the same scans held out by whole walks, where ``settled`` was not: pieces of one walk tell stores
    apart well but flatter the error. ``odds`` (n, 2) are those of ``inside.inside_odds``. ``later`` are the same scans
    as other phones would hear them at a later date.
    """

    radio_map: RadioMap
    fronts: FrontTable | None
    front_level: I32
    m_front: I32
    m_inside: I32
    asked: I64
    settled: Settled
    odds: F64
    group: I32
    is_held_out: bool
    by_walk: "_Trial | None" = None
    later: "_Trial | None" = None

    @staticmethod
    def of(
        radio_map: RadioMap,
        settings: Settings,
        fronts: FrontTable | None,
        asked: I64,
        walk: I32,
        *,
        is_later: bool = False,
    ) -> "_Trial":
        """Answers to the asked scans, each without the survey scans of its own ``walk`` (n_map,)."""
        front_level, m_front, m_inside = survey_fronts(radio_map, fronts)
        scans = HeldOutScans.of(replace(radio_map, walk=walk), asked)
        if is_later:
            floor_dbm = float(radio_map.readings.rssi_dbm.min())
            scans = scans.as_heard(hear_later(scans.batch, np.random.default_rng(0), floor_dbm=floor_dbm))
        settled = scans.answer(settings)
        answered = np.flatnonzero(settled.level >= 0)
        is_held_out = len(answered) > 0
        if not is_held_out:  # a survey of one spot: nothing can be held out, so nothing is known of its errors
            unnamed = replace(radio_map, walk=np.full(radio_map.n_scans, -1, dtype=np.int32))
            settled = HeldOutScans.of(unnamed, asked).answer(settings)
            answered = np.arange(len(asked))
        odds = inside_odds_held_out(radio_map, settings.measured, m_inside, asked, scans.batch, walk, settled.index)
        return _Trial(
            radio_map,
            fronts,
            front_level,
            m_front,
            m_inside,
            asked[answered],
            _take(settled, answered),
            odds[answered],
            walk,
            is_held_out,
        )

    def held_out(self, at: I64) -> HeldOut:
        truth = self.asked[at]
        settled = _take(self.settled, at)
        return HeldOut(
            settled=settled,
            error_m=np.linalg.norm(settled.xy_m - self.radio_map.xy_m[truth], axis=1),
            is_level_right=settled.level == self.radio_map.level[truth],
            front=self.m_front[truth],
            inside=self.m_inside[truth],
        )

    def fit(self, at: I64) -> Calibration:
        held_out = self.held_out(at)
        strict = held_out
        if self.by_walk is not None:
            evenly = self.by_walk.find_evenly(self.asked[at])
            if len(evenly) >= _LEAST_STRICT:
                strict = self.by_walk.held_out(evenly)
        error, error_scale = fit_error(strict)
        calibration = Calibration(
            error=error,
            error_scale=error_scale,
            level=fit_level(held_out),
            front=(0.0,) * N_FEATURES,
            inside=(),
            inside_threshold=0.5,
            set_threshold=0.0,
            walkway_set_threshold=0.0,
            outside=(),
            n_inside=0,
            n_held_out=0,
        )
        if self.fronts is None:
            return calibration
        found = self.find_fronts(at, predict_error_m(held_out.settled.features(), error) * error_scale)
        calibration = replace(
            calibration,
            front=fit_fronts(held_out, found),
            n_inside=int((held_out.inside >= 0).sum()),
            n_held_out=len(held_out.inside),
        )
        trial, at_later = self, at
        if self.later is not None:
            found_later = np.flatnonzero(np.isin(self.later.asked, self.asked[at]))
            if len(found_later) >= _LEAST_STRICT:
                trial, at_later = self.later, found_later
        later = trial.held_out(at_later)
        accuracy_m = predict_error_m(later.settled.features(), error) * error_scale
        return fit_later(calibration, later, trial.find_fronts(at_later, accuracy_m), accuracy_m)

    def find_evenly(self, asked: I64) -> I64:
        """Where these survey scans stand in this trial, those inside stores as often as all others together.

        Shoppers are in stores; of a survey that scanned each store once and its corridors well, ``accuracy_m`` would be
        that of the corridors.
        """
        found = np.flatnonzero(np.isin(self.asked, asked))
        is_inside = self.m_inside[self.asked[found]] >= 0
        times = max(1, round((len(found) - int(is_inside.sum())) / max(int(is_inside.sum()), 1)))
        return np.repeat(found, np.where(is_inside, times, 1))

    def find_fronts(self, at: I64, accuracy_m: F64) -> Fronts:
        assert self.fronts is not None
        settled = _take(self.settled, at)
        return find_fronts(
            self.fronts, self.front_level, self.m_front, self.m_inside, settled, accuracy_m, self.odds[at]
        )

    def cross_fitted(self) -> tuple[Scored, HeldOutAnswers]:
        """All held-out answers, each judged by a calibration fitted on the other half of the walks."""
        half = self.radio_map.walk[self.asked] % 2
        parts, told = [], []
        for side in (0, 1):
            at = np.flatnonzero(half == side)
            others = np.flatnonzero(half != side)
            if len(at) == 0:
                continue
            calibration = self.fit(others if len(others) else at)
            held_out = self.held_out(at)
            accuracy_m = predict_error_m(held_out.settled.features(), calibration.error) * calibration.error_scale
            found = None if self.fronts is None else self.find_fronts(at, accuracy_m)
            answers = judge(held_out.settled, found, calibration, accuracy_m)
            parts.append(_score(answers, held_out, calibration, self.radio_map, self.asked[at]))
            told.append(self.tell(answers, held_out, at))
        return _join(parts), join_answers(told)

    def tell(self, answers: Answers, held_out: HeldOut, at: I64) -> HeldOutAnswers:
        """Answers beside what was true."""
        scan, radio_map = self.asked[at], self.radio_map
        return HeldOutAnswers(
            scan=scan,
            walk=radio_map.walk[scan],
            level=radio_map.level[scan],
            answered_level=held_out.settled.level,
            xy_m=radio_map.xy_m[scan],
            answered_xy_m=held_out.settled.xy_m,
            accuracy_m=answers.accuracy_m,
            front=held_out.front,
            inside=held_out.inside,
            store=answers.store,
            probability=answers.probability,
            nearest_m=_nearest_m(radio_map, self.group, scan),
        )


def _nearest_m(radio_map: RadioMap, group: I32, asked: I64) -> F64:
    """From each survey scan to the nearest one on its level of another group; inf where there is none."""
    out = np.full(len(asked), np.inf)
    for row, scan in enumerate(asked.tolist()):
        others = (radio_map.level == radio_map.level[scan]) & (group != group[scan])
        if others.any():
            out[row] = np.sqrt(((radio_map.xy_m[others] - radio_map.xy_m[scan]) ** 2).sum(axis=1).min())
    return out


def _take(settled: Settled, at: I64) -> Settled:
    return Settled(
        level=settled.level[at],
        level_share=settled.level_share[at],
        xy_m=settled.xy_m[at],
        spread_m=settled.spread_m[at],
        nearest=settled.nearest[at],
        strongest_dbm=settled.strongest_dbm[at],
        n_known=settled.n_known[at],
        index=settled.index[at],
        weight=settled.weight[at],
        distance=settled.distance[at],
    )


def _score(answers: Answers, held_out: HeldOut, calibration: Calibration, radio_map: RadioMap, asked: I64) -> Scored:
    n = len(asked)
    names = [level.building for level in radio_map.levels]
    building = np.array([names.index(name) for name in names])
    has_buildings = any(level.building is not None for level in radio_map.levels)
    is_right = building[held_out.settled.level] == building[radio_map.level[asked]]
    has_fronts = answers.store.shape[1] > 0
    front_rank = rank_of(answers.store, held_out.front)
    named = np.where(answers.in_store >= calibration.inside_threshold, answers.store[:, 0], -1) if has_fronts else None
    is_in_set = np.where(front_rank == UNDEFINED, np.nan, (front_rank >= 0) & (front_rank < answers.n_in_set))
    return Scored(
        is_answered=np.ones(n, dtype=np.bool_),
        is_level_right=held_out.is_level_right,
        is_building_right=is_right.astype(np.float64) if has_buildings else np.full(n, np.nan),
        error_m=held_out.error_m,
        error_units=held_out.error_m / np.cos(np.radians(radio_map.frame.lat_deg)),
        accuracy_m=answers.accuracy_m,
        front_rank=front_rank,
        inside_rank=inside_rank(answers.store, named, held_out.inside),
        is_in_set=is_in_set,
        set_size=answers.n_in_set.astype(np.float64) if has_fronts else np.full(n, np.nan),
        claimed=answers.probability[:, 0] if has_fronts else answers.level_probability,
        is_claim_right=(front_rank == 0).astype(np.float64)
        if has_fronts
        else held_out.is_level_right.astype(np.float64),
        group=radio_map.walk[asked],
    )


def _join(parts: Sequence[Scored]) -> Scored:
    names = Scored.__slots__
    return Scored(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
