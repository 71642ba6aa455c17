"""A candidate model from the present one, confirmed scans and the present model's own sure answers.

Confirmed scans alone would ruin the stores without them: what was born would speak for the stores that were sampled
since. Sure answers cover all stores, epochs say what older scans cannot know (``epochs.py``), and whether the candidate
may serve is judged apart (``promotion.py``). Uses scikit-learn: not on the serving path.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from fingerprints.scan import Scan
from fingerprints.transmitters import is_beacon
from kernel.clock import from_epoch_us
from kernel.ids import StoreId
from positioning.calibrate import fit_logit, fit_sets, fit_walkway_set
from positioning.choose import HeldOutScans
from positioning.confidence import describe_inside, front_probabilities, logistic, predict_error_m
from positioning.confirmed import ConfirmedScan, distinct
from positioning.damage import hear_later
from positioning.errors import NothingToHealError
from positioning.full import FullLocator
from positioning.healed_map import estimate_offsets_db, heal_map
from positioning.inside import inside_odds_held_out
from positioning.labels import LabelCheck, check_labels
from positioning.learned import Learned, learn
from positioning.light import LightLocator
from positioning.locate import Fronts, Settled, find_fronts
from positioning.model import Calibration, VenueModel, assemble_model
from positioning.radio_changes import RadioChanges, find_changes
from positioning.radio_map import F64, I32, I64, RadioMap
from positioning.rank_train import fit_rank
from positioning.ranker import Ranker
from positioning.statistics import StoreTables
from positioning.store_map import build_store_map

_MOST_OF_SURVEY = 2_000
RECALIBRATE_FROM = 100
"""Confirmed scans from which they, held out by group, say what answers are worth."""
_PULL_SCANS = 30.0
"""How hard the present weights hold the new ones, in confirmed scans: the fewer there are, the less moves."""


@dataclass(frozen=True, slots=True)
class Healed:
    """A candidate model, and what it was made of.

    Args:
        labels: whether the confirmed scans can be believed; the candidate is to be thrown away where not.
        refreshed: stores with a confirmed scan.
        n_sure: scans that the present model was sure of; ``n_sure_walkway`` of them in no store.
        n_foreign: confirmed scans of stores that the venue has not.
        n_known: scans left out as copies, or as no newer than what the model has learned.
    """

    model: VenueModel
    labels: LabelCheck
    changes: RadioChanges
    refreshed: frozenset[StoreId]
    n_confirmed: int
    n_sure: int
    n_sure_walkway: int
    n_foreign: int
    n_known: int


def heal(
    model: VenueModel,
    confirmed: Sequence[ConfirmedScan],
    unlabelled: Sequence[Scan],
    *,
    ranker: Ranker | None = None,
) -> Healed:
    """Make a candidate; the present model stays as it is.

    Args:
        ranker: sure answers are then the full locator's; the model must be calibrated for it.

    Raises:
        NothingToHealError: the venue has no stores, or no scan is confirmed or surely answered.
    """
    if model.fronts is None:
        raise NothingToHealError(f"venue {model.venue_id} has no stores on its map: no scan can be confirmed")
    confirmed, unlabelled, n_known = _not_learned(model, confirmed, unlabelled)
    locator = LightLocator((model,)) if ranker is None else FullLocator((model,), ranker)
    answered = locator.locate([item.scan for item in confirmed])
    known = frozenset(model.fronts.store_ids)
    learned = learn(model, confirmed, answered, unlabelled, locator.locate(unlabelled))
    if len(learned) == 0:
        told = f" ({n_known} are copies, or no newer than what the model has learned)" if n_known else ""
        raise NothingToHealError(f"expected new scans that are confirmed or surely answered, found none{told}")
    healed, changes = _heal_part(model, learned, unlabelled, ranker)
    if model.beacons is not None:
        part = _beacons_of(learned)
        heard = [beacons_alone(scan) for scan in unlabelled]
        if len(part):
            healed = replace(healed, beacons=_heal_part(model.beacons, part, heard, None)[0])
    return Healed(
        model=healed,
        labels=check_labels(confirmed, answered, known),
        changes=changes,
        refreshed=frozenset(item.store_id for item in confirmed if item.store_id in known),
        n_confirmed=int(learned.is_confirmed.sum()),
        n_sure=int((~learned.is_confirmed).sum()),
        n_sure_walkway=int((~learned.is_confirmed & (learned.store < 0)).sum()),
        n_foreign=sum(item.store_id not in known for item in confirmed),
        n_known=n_known,
    )


def learned_until(model: VenueModel) -> tuple[datetime, datetime]:
    """The instants up to which the model has learned confirmed scans, and unlabelled ones."""
    epochs = model.radio_map.epochs
    confirmed_us, sure_us = (0, 0) if epochs is None else epochs.until_us
    return from_epoch_us(confirmed_us), from_epoch_us(sure_us)


def _not_learned(
    model: VenueModel, confirmed: Sequence[ConfirmedScan], unlabelled: Sequence[Scan]
) -> tuple[list[ConfirmedScan], list[Scan], int]:
    """The scans that are new, each once; and how many are left out."""
    confirmed_until, sure_until = learned_until(model)
    labels = distinct([item for item in confirmed if item.scan.at > confirmed_until], lambda item: item.scan)
    others = distinct([scan for scan in unlabelled if scan.at > sure_until], lambda scan: scan)
    return labels, others, len(confirmed) + len(unlabelled) - len(labels) - len(others)


def _heal_part(
    model: VenueModel, learned: Learned, unlabelled: Sequence[Scan], ranker: Ranker | None
) -> tuple[VenueModel, RadioChanges]:
    fronts = model.fronts
    assert fronts is not None
    tables = count_by_store(model)
    changes = find_changes(model.survey, tables, learned, unlabelled)
    offset_db = estimate_offsets_db(model.survey, model.index.weighing, tables, learned)
    radio_map, taken = heal_map(model.survey, changes, learned, offset_db)
    candidate = assemble_model(model.venue_id, radio_map, model.settings, model.calibration, fronts)
    is_confirmed = learned.is_confirmed[taken] & (learned.store[taken] >= 0)
    asked = radio_map.n_scans - len(taken) + np.flatnonzero(is_confirmed)
    if len(asked) < RECALIBRATE_FROM:
        return candidate, changes
    return replace(candidate, calibration=_recalibrate(candidate, asked, ranker)), changes


def count_by_store(model: VenueModel) -> StoreTables:
    """The survey of a model with stores, counted by address: radios are born and die by theirs."""
    assert model.fronts is not None
    return build_store_map(model.survey, model.settings, model.m_front, len(model.fronts.store_ids)).tables


def _recalibrate(model: VenueModel, asked: I64, ranker: Ranker | None) -> Calibration:
    """What store probabilities are worth, from confirmed scans of the map, each without its group's.

    Confirmed scans are all in stores: where the survey tells stores from walkways, the walkways' sets are fitted, with
    the new weights, on the survey's scans as they would be heard later.
    """
    fronts, radio_map, calibration = model.fronts, model.radio_map, model.calibration
    assert fronts is not None
    confirmed = _AskedAgain.of(model, asked)
    ridge = _PULL_SCANS / len(asked)
    found, store = confirmed.found, confirmed.store
    is_true = (found.store >= 0) & (found.store == store[:, None])
    front = calibration.front
    if is_true.any():
        front = fit_logit(found.feature, found.store >= 0, is_true, np.array(front), ridge)
    of_store, of_walkway = fit_sets(*confirmed.judge(front))
    survey = None
    if calibration.tells_inside:
        survey = np.unique(np.linspace(0, _n_survey(radio_map) - 1, _MOST_OF_SURVEY).astype(np.int64))
        later = _AskedAgain.of(model, survey, is_later=True)
        of_walkway = fit_walkway_set(*later.judge(front), of_store)
    calibration = replace(calibration, front=front, set_threshold=of_store, walkway_set_threshold=of_walkway)
    if ranker is None or not calibration.ranker:
        return calibration
    of_survey = (model.front_level, model.m_front, model.m_inside)
    return fit_rank(
        calibration,
        radio_map,
        model.settings,
        fronts,
        of_survey,
        len(fronts.store_ids),
        asked,
        radio_map.walk,
        ranker,
        walkway_asked=survey,
        refit_ridge=ridge,
    )


def _n_survey(radio_map: RadioMap) -> int:
    """How many of the map's scans are the survey's own."""
    return radio_map.n_scans if radio_map.epochs is None else int(radio_map.epochs.first[1])


@dataclass(frozen=True, slots=True)
class _AskedAgain:
    """Scans of the map, each without its group's; ``is_usable`` where they are answered and there is a store at all."""

    settled: Settled
    found: Fronts
    store: I32
    is_in_store: NDArray[np.bool_]
    is_usable: NDArray[np.bool_]

    @staticmethod
    def of(model: VenueModel, asked: I64, *, is_later: bool = False) -> "_AskedAgain":
        """As they were heard, or as other phones would hear them later (``damage.py``)."""
        radio_map, calibration = model.radio_map, model.calibration
        assert model.fronts is not None
        scans = HeldOutScans.of(radio_map, asked)
        if is_later:
            floor_dbm = float(radio_map.readings.rssi_dbm.min())
            scans = scans.as_heard(hear_later(scans.batch, np.random.default_rng(0), floor_dbm=floor_dbm))
        settled = scans.answer(model.settings)
        accuracy_m = predict_error_m(settled.features(), calibration.error) * calibration.error_scale
        odds = inside_odds_held_out(
            radio_map, model.settings.measured, model.m_inside, asked, scans.batch, radio_map.walk, settled.index
        )
        found = find_fronts(model.fronts, model.front_level, model.m_front, model.m_inside, settled, accuracy_m, odds)
        inside = describe_inside(found.nearest_m, found.inside_share, found.inside_odds, accuracy_m)
        is_in_store = logistic(inside, calibration.inside) >= calibration.inside_threshold
        store = model.m_front[asked]
        return _AskedAgain(settled, found, store, is_in_store, (settled.level >= 0) & (store >= 0))

    def judge(self, front: tuple[float, ...]) -> tuple[F64, NDArray[np.bool_]]:
        """Of the usable scans, the probability of the true store with such weights, and what they are taken for."""
        is_store = self.found.store >= 0
        is_true = is_store & (self.found.store == self.store[:, None])
        of_true: F64 = np.where(is_true, front_probabilities(self.found.feature, is_store, front), 0.0).sum(axis=1)
        return of_true[self.is_usable], self.is_in_store[self.is_usable]


def beacons_alone(scan: Scan) -> Scan:
    """The scan as a phone tells it that tells of beacons alone."""
    return replace(scan, readings=tuple(r for r in scan.readings if is_beacon(r.transmitter)))


def _beacons_of(learned: Learned) -> Learned:
    """The learned scans that hear beacons, as a phone hears them that tells of beacons alone."""
    scans = [beacons_alone(scan) for scan in learned.scans]
    at = np.array([i for i, scan in enumerate(scans) if scan.readings], dtype=np.int64)
    return Learned(
        scans=tuple(scans[i] for i in at),
        store=learned.store[at],
        is_inside=learned.is_inside[at],
        xy_m=learned.xy_m[at],
        level=learned.level[at],
        group=tuple(learned.group[i] for i in at),
        is_confirmed=learned.is_confirmed[at],
    )
