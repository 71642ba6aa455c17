"""The simulated malls that the shared ranker learns from: surveys of several kinds, asked by other phones later.

None of their seeds is used by a benchmark or a test of accuracy.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fingerprints.scan import LabelledScan
from positioning.buildings import BuildingTable, build_building_table, hear_buildings
from positioning.choose import choose_radios
from positioning.fronts import FrontTable, build_front_table
from positioning.model import Settings, survey_fronts
from positioning.pairs import make_pairs
from positioning.radio_map import I32, RadioMap, ReadingBatch, compile_radio_map, encode
from positioning.radios import merge_radios
from positioning.ranker_fit import TrainingSet, training_set
from positioning.representation import Representation, Weighing, survey_floor_dbm
from positioning.store_map import StoreMap, build_store_map
from sim.fit import PLACING_S
from sim.layout import MallSpec
from sim.mall import make_mall
from sim.presets import TABLE_MALL, XIXI, XIXI_PLACING_SD_M
from sim.radio import aged, make_radio_field
from sim.radio_spec import Ageing, RadioSpec
from sim.survey import walk_survey
from sim.walking import make_walking_graph
from venues.frame import LocalFrame

_SPARSE = RadioSpec(area_per_access_point_m2=330.0, max_ids_per_access_point=2, area_per_beacon_m2=1e9)
"""About as many radios to a scan as in an office or a university."""
_AT_ONCE = RadioSpec(stale_ratio=0.0)
_DEGRADED_SHARE = 0.25
_MOST_SILENT = 0.5
_EXTRA_OFFSET_SD_DB = 5.0
_CONNECTED_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class TrainingMall:
    """One mall, how it is surveyed, and how it is asked.

    Args:
        store_scans, corridor_scans: a store, and a level, of the survey; ``asked_*`` likewise of the scans asked.
        ageing: share of what weeks do to radios, between survey and question.
        placing_sd_m: how far, on each axis, noted places are off, kept along a walk for ``PLACING_S``.
        has_map: whether places and polygons may be looked at.
        tau_ms, exponent: as cross-validation might choose them for a venue.
    """

    seed: int
    mall: MallSpec
    radio: RadioSpec
    survey_phones: int
    store_scans: int
    corridor_scans: int
    asked_store_scans: int
    asked_corridor_scans: int
    ageing: float
    placing_sd_m: float
    has_map: bool
    tau_ms: float
    exponent: float
    n_short: int


_INF = float("inf")
_E = float(np.e)
_WIDE = MallSpec(n_levels=3, width_m=120, depth_m=60)
_OFF = XIXI_PLACING_SD_M
MALLS = (
    TrainingMall(901, TABLE_MALL, _AT_ONCE, 3, 40, 0, 12, 0, 1.0, 0.0, True, _INF, 1.6, 48),
    TrainingMall(902, TABLE_MALL, RadioSpec(), 3, 40, 150, 10, 60, 1.0, 0.0, True, 8_000.0, _E, 48),
    TrainingMall(903, MallSpec(), RadioSpec(), 2, 45, 300, 30, 150, 0.5, 0.0, True, 16_000.0, 1.6, 24),
    TrainingMall(904, MallSpec(n_levels=4), _AT_ONCE, 4, 30, 0, 30, 0, 1.0, 0.0, False, _INF, 1.6, 96),
    TrainingMall(905, TABLE_MALL, XIXI, 1, 0, 800, 0, 360, 0.0, _OFF, True, 8_000.0, 1.6, 48),
    TrainingMall(906, MallSpec(n_levels=4), XIXI, 1, 0, 600, 0, 600, 0.0, _OFF, True, 4_000.0, _E, 48),
    TrainingMall(907, _WIDE, XIXI, 2, 30, 200, 16, 200, 0.5, 0.0, True, 8_000.0, 1.6, 48),
    TrainingMall(908, MallSpec(n_levels=4), RadioSpec(), 2, 0, 600, 0, 500, 0.3, _OFF, True, 8_000.0, 1.6, 24),
    TrainingMall(909, MallSpec(n_levels=4), _SPARSE, 8, 30, 60, 30, 60, 0.0, 0.0, False, _INF, 1.6, 96),
    TrainingMall(910, TABLE_MALL, _SPARSE, 6, 24, 60, 10, 60, 0.5, 0.0, True, _INF, _E, 48),
    TrainingMall(911, TABLE_MALL, _AT_ONCE, 3, 40, 0, 12, 0, 1.0, 0.0, True, _INF, _E, 96),
    TrainingMall(912, _WIDE, XIXI, 1, 0, 700, 0, 700, 0.0, _OFF, True, 8_000.0, _E, 24),
)
"""Seed, mall and radio; survey and questions; what may be looked at (the fields of ``TrainingMall`` in order)."""


def make_sets(malls: Sequence[TrainingMall] = MALLS) -> Iterator[TrainingSet]:
    """The pairs of each mall."""
    for mall in malls:
        yield make_set(mall)


@dataclass(frozen=True, slots=True)
class AskedMall:
    """A surveyed mall, the scans asked of it as they were heard, and the front each was taken in or before."""

    seed: int
    radio_map: RadioMap
    settings: Settings
    stores: StoreMap
    buildings: BuildingTable
    fronts: FrontTable | None
    front_level: I32
    batch: ReadingBatch
    truth: I32


def make_set(plan: TrainingMall) -> TrainingSet:
    """Build a mall, survey it, ask it, and describe the pairs; about 20 s of one core for the largest."""
    return describe_asked(ask_mall(plan))


def ask_mall(plan: TrainingMall) -> AskedMall:
    """Build a mall, survey it and ask it."""
    seed = plan.seed
    mall = make_mall(plan.mall, np.random.default_rng([seed, 0]))
    radio = make_radio_field(mall.venue, plan.radio, np.random.default_rng([seed, 1]))
    later = aged(radio, mall.venue, _share_of(Ageing(), plan.ageing), np.random.default_rng([seed, 2]))
    graph = make_walking_graph(mall.venue, mall.entrances_xy_m, mall.bays)
    survey = walk_survey(
        mall,
        radio,
        np.random.default_rng([seed, 3]),
        phones=plan.survey_phones,
        scans_per_store=plan.store_scans,
        corridor_scans_per_level=plan.corridor_scans,
        graph=graph,
    )
    asked = walk_survey(
        mall,
        later,
        np.random.default_rng([seed, 4]),
        phones=12,
        scans_per_store=plan.asked_store_scans,
        corridor_scans_per_level=plan.asked_corridor_scans,
        graph=graph,
    )
    if plan.placing_sd_m > 0.0:
        placing = np.random.default_rng([seed, 6])
        survey, asked = (_misplaced(scans, mall.venue.frame, plan.placing_sd_m, placing) for scans in (survey, asked))
    radio_map = merge_radios(choose_radios(compile_radio_map(survey, mall.venue)))
    fronts = build_front_table(mall.venue)
    assert fronts is not None
    front_level, m_front, _ = survey_fronts(radio_map, fronts)
    weighing = Weighing((Representation("powed", plan.exponent),), survey_floor_dbm(radio_map), plan.tau_ms, 96)
    settings = Settings(weighing, 8, 2.0, False, plan.n_short, 0.9)
    return AskedMall(
        seed=seed,
        radio_map=radio_map,
        settings=settings,
        stores=build_store_map(radio_map, settings, m_front, len(fronts.store_ids)),
        buildings=build_building_table(radio_map),
        fronts=fronts if plan.has_map else None,
        front_level=front_level,
        batch=encode([item.scan for item in asked], radio_map.index),
        truth=_true_fronts(asked, radio_map, fronts, front_level),
    )


def describe_asked(mall: AskedMall) -> TrainingSet:
    """The pairs of the scans asked, some of them as worse phones, or on days of fewer radios, would hear them."""
    rng = np.random.default_rng([mall.seed, 5])
    batch = _degraded(mall.batch, rng)
    pairs = make_pairs(
        mall.radio_map,
        mall.settings,
        mall.stores,
        batch,
        building=mall.buildings.of_level,
        evidence=hear_buildings(mall.buildings, batch),
        fronts=mall.fronts,
        front_level=mall.front_level,
        connected=_connected(batch, rng),
    )
    return training_set(f"simulated mall {mall.seed}", pairs, mall.truth)


def _share_of(ageing: Ageing, share: float) -> Ageing:
    return replace(
        ageing,
        removed=ageing.removed * share,
        renamed=ageing.renamed * share,
        moved=ageing.moved * share,
        repowered=ageing.repowered * share,
        new=ageing.new * share,
        drift_sd_db=ageing.drift_sd_db * share,
    )


def _true_fronts(asked: Sequence[LabelledScan], radio_map: RadioMap, fronts: FrontTable, front_level: I32) -> I32:
    """The store each scan was taken in, or else before."""
    store_at = {store_id: i for i, store_id in enumerate(fronts.store_ids)}
    level_at = {key.short_name: i for i, key in enumerate(radio_map.levels)}
    said = np.array([-1 if i.truth.store_id is None else store_at[i.truth.store_id] for i in asked], dtype=np.int32)
    level = np.array([level_at.get(i.truth.level, -1) for i in asked], dtype=np.int32)
    xy_m = radio_map.frame.to_xy_m([(i.truth.lon_deg, i.truth.lat_deg) for i in asked])
    nearest, _ = fronts.nearest(xy_m, np.where(level >= 0, front_level[level], -1).astype(np.int32))
    return np.where(said >= 0, said, nearest).astype(np.int32)


def _misplaced(
    scans: Sequence[LabelledScan], frame: LocalFrame, sd_m: float, rng: np.random.Generator
) -> list[LabelledScan]:
    """The scans with places as surveyors note them (``sim.likeness.placing_errors``)."""
    out = list[LabelledScan]()
    off_m = np.zeros(2)
    for i, item in enumerate(scans):
        kept = 0.0
        if i and scans[i - 1].walk == item.walk:
            kept = float(np.exp(-(item.scan.at - scans[i - 1].scan.at).total_seconds() / PLACING_S))
        off_m = kept * off_m + np.sqrt(1.0 - kept * kept) * rng.normal(0.0, sd_m, 2)
        xy_m = frame.to_xy_m([(item.truth.lon_deg, item.truth.lat_deg)])[0] + off_m
        lon_deg, lat_deg = frame.to_lon_lat_deg(xy_m).tolist()
        out.append(replace(item, truth=replace(item.truth, lon_deg=lon_deg, lat_deg=lat_deg)))
    return out


def _degraded(batch: ReadingBatch, rng: np.random.Generator) -> ReadingBatch:
    """Some scans lose a share of their readings, some get another offset: worse phones than were drawn."""
    n = batch.n_scans
    counts = np.diff(batch.indptr)
    silent = np.where(rng.random(n) < _DEGRADED_SHARE, rng.uniform(0.0, _MOST_SILENT, n), 0.0)
    offset_db = np.where(rng.random(n) < _DEGRADED_SHARE, rng.normal(0.0, _EXTRA_OFFSET_SD_DB, n), 0.0)
    kept = rng.random(len(batch.transmitter)) >= np.repeat(silent, counts)
    rssi_dbm = (batch.rssi_dbm + np.repeat(offset_db, counts)).astype(np.float32)
    indptr = np.zeros(len(kept) + 1, dtype=np.int64)
    np.cumsum(kept, out=indptr[1:])
    return ReadingBatch(
        indptr[batch.indptr], batch.transmitter[kept], rssi_dbm[kept], batch.age_ms[kept], batch.n_heard
    )


def _connected(batch: ReadingBatch, rng: np.random.Generator) -> I32:
    """Some phones are associated with one of their three strongest transmitters."""
    out = np.full(batch.n_scans, -1, dtype=np.int32)
    for i in np.flatnonzero(rng.random(batch.n_scans) < _CONNECTED_SHARE):
        heard = slice(int(batch.indptr[i]), int(batch.indptr[i + 1]))
        strongest = np.argsort(-batch.rssi_dbm[heard], kind="stable")[:3]
        if len(strongest):
            out[i] = batch.transmitter[heard][rng.choice(strongest)]
    return out
