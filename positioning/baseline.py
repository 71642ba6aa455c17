"""The plain reference that every figure stands beside: weighted k nearest neighbours, written apart from the locator.

Sørensen distance on powed RSSI, ((x - m + 1) / (1 - m))^e with m the least survey RSSI; readings at most 5 s old
where ages are told; k = 5 on a mall's map and 11 without one; weights 1 / (d + 1e-6). Level by vote, place by the
weighted mean on it, store = polygon nearest to the place (research: positioning, sections 2 and 6).
"""

from dataclasses import dataclass

import numpy as np

from fingerprints.scan import Scan
from positioning.model import VenueModel
from positioning.radio_map import F32, F64, I32, RadioMap, ReadingBatch, encode

K_WITH_MAP = 5
K_WITHOUT_MAP = 11
MAX_AGE_MS = 5_000.0


@dataclass(frozen=True, slots=True)
class BaselineAnswers:
    """Level (-1 for no answer), place and stores by distance (n, 20), -1 for none."""

    level: I32
    xy_m: F64
    store: I32


def locate_plainly(model: VenueModel, scans: list[Scan]) -> BaselineAnswers:
    """Answer scans as the plain method does; linear in survey scans times heard transmitters."""
    return locate_and_vote(model, scans, np.zeros((model.radio_map.n_scans,), dtype=np.int32), 1)[0]


def locate_and_vote(model: VenueModel, scans: list[Scan], m_label: I32, n_labels: int) -> tuple[BaselineAnswers, F64]:
    """The same, with the (n, n_labels) votes of the neighbours for labels of the survey's scans, -1 for none."""
    radio_map = model.survey
    least_dbm = float(radio_map.readings.rssi_dbm.min())
    survey = _dense(radio_map, least_dbm)
    survey_sum = survey.sum(axis=0)
    batch = encode(scans, radio_map.index)
    k = K_WITHOUT_MAP if model.fronts is None else K_WITH_MAP
    level = np.full(len(scans), -1, dtype=np.int32)
    xy_m = np.full((len(scans), 2), np.nan)
    label_votes = np.zeros((len(scans), n_labels))
    for i in range(len(scans)):
        heard, power = _fresh(batch, i, least_dbm)
        if len(heard) == 0:
            continue
        shared = np.minimum(survey[heard], power[:, None]).sum(axis=0)
        distance = 1.0 - 2.0 * shared / (power.sum() + survey_sum)
        nearest = np.argpartition(distance, min(k, len(distance)) - 1)[:k]
        weight = 1.0 / (distance[nearest] + 1e-6)
        is_labelled = m_label[nearest] >= 0
        np.add.at(label_votes[i], m_label[nearest[is_labelled]], weight[is_labelled])
        votes = np.bincount(radio_map.level[nearest], weights=weight)
        level[i] = int(votes.argmax())
        on_level = radio_map.level[nearest] == level[i]
        xy_m[i] = np.average(radio_map.xy_m[nearest[on_level]], axis=0, weights=weight[on_level])
    if model.fronts is None:
        return BaselineAnswers(level, xy_m, np.full((len(scans), 0), -1, dtype=np.int32)), label_votes
    table_level = np.where(level >= 0, model.front_level[level], -1).astype(np.int32)
    store, distance_m = model.fronts.measure(xy_m, table_level)
    order = np.argsort(distance_m, axis=1, kind="stable")
    return BaselineAnswers(level, xy_m, np.take_along_axis(store, order, axis=1)), label_votes


def _power(rssi_dbm: F32, least_dbm: float) -> F32:
    above = np.maximum(rssi_dbm - np.float32(least_dbm - 1.0), np.float32(0.0))
    power: F32 = ((above / np.float32(1.0 - least_dbm)) ** np.float32(np.e)).astype(np.float32)
    return power


def _dense(radio_map: RadioMap, least_dbm: float) -> F32:
    """(n_transmitters, n_map) powed survey, 0 where not heard or heard too long before."""
    readings = radio_map.readings
    scan = np.repeat(np.arange(readings.n_scans), np.diff(readings.indptr))
    is_fresh = ~(readings.age_ms > MAX_AGE_MS)
    dense = np.zeros((len(radio_map.transmitters), readings.n_scans), dtype=np.float32)
    dense[readings.transmitter[is_fresh], scan[is_fresh]] = _power(readings.rssi_dbm[is_fresh], least_dbm)
    return dense


def _fresh(batch: ReadingBatch, at: int, least_dbm: float) -> tuple[I32, F32]:
    entries = slice(batch.indptr[at], batch.indptr[at + 1])
    is_fresh = ~(batch.age_ms[entries] > MAX_AGE_MS)
    return batch.transmitter[entries][is_fresh], _power(batch.rssi_dbm[entries][is_fresh], least_dbm)
