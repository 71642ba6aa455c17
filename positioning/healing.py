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
from positioning.calibrate import HeldOut, conformal_threshold, fit_fronts
from positioning.choose import HeldOutScans
from positioning.confidence import front_probabilities, predict_error_m
from positioning.confirmed import ConfirmedScan, distinct
from positioning.errors import NothingToHealError
from positioning.full import FullLocator
from positioning.healed_map import estimate_offsets_db, heal_map
from positioning.inside import inside_odds_held_out
from positioning.labels import LabelCheck, check_labels
from positioning.learned import Learned, learn
from positioning.light import LightLocator
from positioning.locate import find_fronts
from positioning.model import Calibration, VenueModel, assemble_model
from positioning.radio_changes import RadioChanges, find_changes
from positioning.radio_map import I64
from positioning.rank_train import fit_rank
from positioning.ranker import Ranker
from positioning.statistics import StoreTables
from positioning.store_map import build_store_map

RECALIBRATE_FROM = 300
"""Confirmed scans from which they, held out by group, say what answers are worth (research: positioning, section 4)."""


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
    changes = find_changes(model.radio_map, tables, learned, unlabelled)
    offset_db = estimate_offsets_db(model.radio_map, model.index.weighing, tables, learned)
    radio_map, taken = heal_map(model.radio_map, changes, learned, offset_db)
    candidate = assemble_model(model.venue_id, radio_map, model.settings, model.calibration, fronts)
    is_confirmed = learned.is_confirmed[taken] & (learned.store[taken] >= 0)
    asked = radio_map.n_scans - len(taken) + np.flatnonzero(is_confirmed)
    if len(asked) < RECALIBRATE_FROM:
        return candidate, changes
    return replace(candidate, calibration=_recalibrate(candidate, asked, ranker)), changes


def count_by_store(model: VenueModel) -> StoreTables:
    """The survey of a model with stores, counted."""
    assert model.fronts is not None
    return build_store_map(
        model.radio_map, model.settings, model.m_front, len(model.fronts.store_ids), index=model.index
    ).tables


def _recalibrate(model: VenueModel, asked: I64, ranker: Ranker | None) -> Calibration:
    """What store probabilities are worth, from confirmed scans of the map, each without its group's."""
    fronts, radio_map, calibration = model.fronts, model.radio_map, model.calibration
    assert fronts is not None
    scans = HeldOutScans.of(radio_map, asked)
    settled = scans.answer(model.settings)
    accuracy_m = predict_error_m(settled.features(), calibration.error) * calibration.error_scale
    odds = inside_odds_held_out(
        radio_map, model.settings.measured, model.m_inside, asked, scans.batch, radio_map.walk, settled.index
    )
    found = find_fronts(fronts, model.front_level, model.m_front, model.m_inside, settled, accuracy_m, odds)
    none: NDArray[np.float64] = np.zeros(len(asked))
    store = model.m_front[asked]
    front = fit_fronts(HeldOut(settled, none, none > 0, store, store), found)
    probability = front_probabilities(found.feature, found.store >= 0, front)
    of_true = np.where(found.store == store[:, None], probability, 0.0).sum(axis=1)
    calibration = replace(calibration, front=front, set_threshold=conformal_threshold(of_true))
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
    )


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
