"""Both locators beside scikit-learn's brute-force neighbours, on the same radio map, in the same run.

CPU time of one thread, batches of 1,024 scans, no scan twice, the median of the batches. The baseline is fitted on the
model's own survey scans and transmitters, dense, absent readings at -100 dBm, each scan's class its store front. It
gets its matrix ready made: only ``predict`` is timed. Beside it, of ours: ``light_arrays`` and ``full_arrays`` (arrays
in and out, as the baseline), ``encode`` (ids looked up), and the whole of ``locate`` of each locator (scans in,
positions out). Of the full locator also naive Bayes alone and the union of candidates, and one scan a call: the median
of their wall times in process. Then the whole with 20 venues resident (copies of the model, each with arrays of its
own): a batch's scans spread evenly over them, beside the same scans at one of them. Last, what a venue takes: bytes of
its arrays, and CPU seconds from its bundle until it can answer.

Run it with ``atrium bench locate`` or ``python -m benchmarks.locate``.
"""

import json
import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits

from benchmarks.malls import BenchMall, simulated_mall, xixi_mall
from fingerprints.scan import LabelledScan, Scan
from kernel.ids import VenueId
from positioning.buildings import hear_buildings
from positioning.bundle import from_bytes, to_bytes
from positioning.compiled import compile_full, compile_light, count_stores_of
from positioning.full import FullLocator
from positioning.light import LightLocator
from positioning.model import VenueModel
from positioning.pairs import Candidates, find_candidates
from positioning.ports import Locator
from positioning.position import Located
from positioning.radio_map import F32, I32, ReadingBatch, encode, encode_connected
from positioning.ranker import Ranker
from positioning.representation import weigh
from positioning.statistics import likelihoods
from positioning.train import train_venue
from runtime.rankers import load_ranker

BATCH = 1_024
_N_BATCHES = 5
_N_RESIDENT = 20
_ABSENT_DBM = -100.0
_SHUFFLE_SEED = 2_026
TARGET_RATIO = 20.0


def run() -> dict[str, Any]:
    """Measure on a simulated mall, and on the real one where its data are at hand."""
    with threadpool_limits(limits=1):
        malls = [mall for mall in (simulated_mall(), xixi_mall()) if mall is not None]
        return {"batch": BATCH, "target_ratio": TARGET_RATIO, "malls": [measure(mall) for mall in malls]}


def measure(mall: BenchMall) -> dict[str, Any]:
    """Train on the survey, time both methods on the same batches, count both against the true store fronts."""
    ranker = load_ranker()
    model = train_venue(mall.survey, mall.venue, venue_id=VenueId(mall.venue.id), ranker=ranker).model
    truth, usable = _true_fronts(model, mall.test)
    batches = _batches(usable)
    locator, full_locator = LightLocator((model,)), FullLocator((model,), ranker)
    light, full = compile_light(model), compile_full(model, ranker)
    baseline = KNeighborsClassifier(n_neighbors=5, algorithm="brute", metric="euclidean", n_jobs=1)
    survey = model.survey  # scikit-learn gets what was heard, address by address
    baseline.fit(_dense(survey.readings, len(survey.transmitters)), model.m_front)
    of_batch = [[mall.test[at].scan for at in batch] for batch in batches]
    encoded = [encode(scans, model.radio_map.index) for scans in of_batch]
    connected = [encode_connected(scans, model.radio_map.index) for scans in of_batch]
    dense = [_dense(encode(scans, survey.index), len(survey.transmitters)) for scans in of_batch]
    for warmed in (locator, full_locator):
        warmed.locate(of_batch[0][:64])
    baseline.predict(dense[0][:64])
    located, light_us = _timed(locator.locate, of_batch)
    full_located, full_us = _timed(full_locator.locate, of_batch)
    _, light_arrays_us = _timed(light.answer_batch, encoded)
    _, full_arrays_us = _timed(lambda pair: full.answer_batch(*pair), list(zip(encoded, connected, strict=True)))
    _, encode_us = _timed(lambda scans: encode(scans, model.radio_map.index), of_batch)
    predicted, baseline_us = _timed(baseline.predict, dense)
    bayes_us, union_us = _measure_candidates(model, encoded)
    costs_us = {
        "naive_bayes": bayes_us,
        "union": union_us,
        "full_arrays": full_arrays_us,
        "full_locate": full_us,
        "light_arrays": light_arrays_us,
        "light_locate": light_us,
        "encode": encode_us,
        "sklearn_predict": baseline_us,
    }
    true = np.concatenate([truth[batch] for batch in batches])
    return {
        "mall": mall.what,
        "n_survey_scans": model.radio_map.n_scans,
        "n_transmitters": len(model.radio_map.transmitters),
        "n_test_scans": len(true),
        "n_stores": len(mall.venue.stores),
        "readings_per_scan": float(np.mean([np.diff(batch.indptr).mean() for batch in encoded])),
        "cpu_us_per_scan": costs_us,
        "ratio": {name: baseline_us / us for name, us in costs_us.items()},
        "single_us_p50": {
            "full": _median_single_us(full_locator, of_batch[0]),
            "light": _median_single_us(locator, of_batch[0]),
        },
        "resident": _measure_resident(model, ranker, of_batch),
        "venue": _measure_venue(model, mall, ranker),
        "front_top1_percent": {
            "light": _percent_right(np.concatenate([_fronts(model, answers) for answers in located]), true),
            "full": _percent_right(np.concatenate([_fronts(model, answers) for answers in full_located]), true),
            "sklearn_predict": _percent_right(np.concatenate(predicted), true),
        },
    }


def _measure_candidates(model: VenueModel, encoded: list[ReadingBatch]) -> tuple[float, float]:
    """CPU microseconds a scan of naive Bayes and of the union of candidates."""
    stores = count_stores_of(model)

    def union(batch: ReadingBatch) -> Candidates:
        return find_candidates(
            model.radio_map,
            model.settings,
            stores,
            batch,
            building=model.buildings.of_level,
            evidence=hear_buildings(model.buildings, batch),
            fronts=model.fronts,
            front_level=model.front_level,
        )

    def bayes(batch: ReadingBatch) -> tuple[F32, F32]:
        return likelihoods(stores.tables, weigh(stores.index.weighing, batch))

    union(encoded[0])
    bayes(encoded[0])
    return _timed(bayes, encoded)[1], _timed(union, encoded)[1]


def _median_single_us(locator: Locator, scans: list[Scan]) -> float:
    costs_us = []
    for scan in scans:
        before_s = time.perf_counter()
        locator.locate([scan])
        costs_us.append((time.perf_counter() - before_s) * 1e6)
    return median(costs_us)


def _measure_venue(model: VenueModel, mall: BenchMall, ranker: Ranker) -> dict[str, float]:
    """What a venue of the full locator takes."""
    data = to_bytes(model)
    before_s = time.process_time()
    full = compile_full(from_bytes(data, mall.venue), ranker)
    return {
        "compile_cpu_s": time.process_time() - before_s,
        "mb": _megabytes(full.arrays) - _megabytes(full.arrays.full.trees),
        "ranker_mb": _megabytes(full.arrays.full.trees),
        "bundle_mb": len(data) / 1e6,
    }


def _measure_resident(model: VenueModel, ranker: Ranker, of_batch: list[list[Scan]]) -> dict[str, dict[str, float]]:
    """CPU microseconds a scan with one venue and with many, each scan telling its venue."""
    models = [replace(deepcopy(model), venue_id=VenueId(f"{model.venue_id}-{i}")) for i in range(_N_RESIDENT)]
    first = [[replace(scan, venue_id=models[0].venue_id) for scan in batch] for batch in of_batch]
    spread = [
        [replace(scan, venue_id=models[i * _N_RESIDENT // len(batch)].venue_id) for i, scan in enumerate(batch)]
        for batch in of_batch
    ]
    told = {}
    for name, locator in (("light", LightLocator(models)), ("full", FullLocator(models, ranker))):
        locator.locate(first[0][:64])
        _, one_us = _timed(locator.locate, first)
        _, many_us = _timed(locator.locate, spread)
        told[name] = {"one_us": one_us, "many_us": many_us, "ratio": many_us / one_us}
    return told


def _megabytes(held: object) -> float:
    """Of all arrays in a tuple and the tuples in it."""
    if isinstance(held, np.ndarray):
        return held.nbytes / 1e6
    return sum(_megabytes(part) for part in held) if isinstance(held, tuple) else 0.0


def _true_fronts(model: VenueModel, test: Sequence[LabelledScan]) -> tuple[I32, NDArray[np.intp]]:
    """The store each test scan is in or before, and which scans have one and hear a known transmitter."""
    assert model.fronts is not None
    store_at = {store_id: i for i, store_id in enumerate(model.fronts.store_ids)}
    level_at = {key.short_name: i for i, key in enumerate(model.radio_map.levels)}
    level = np.array([level_at.get(item.truth.level, -1) for item in test], dtype=np.int32)
    xy_m = model.radio_map.frame.to_xy_m([(item.truth.lon_deg, item.truth.lat_deg) for item in test])
    nearest, _ = model.fronts.nearest(xy_m, np.where(level >= 0, model.front_level[level], -1).astype(np.int32))
    said = [-1 if item.truth.store_id is None else store_at.get(item.truth.store_id, -1) for item in test]
    truth = np.where(np.array(said) >= 0, said, nearest).astype(np.int32)
    is_heard = np.diff(encode([item.scan for item in test], model.radio_map.index).indptr) > 0
    return truth, np.flatnonzero((truth >= 0) & is_heard)


def _batches(usable: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Batches of scans of which none comes twice; the last may be smaller, down to half a batch."""
    if len(usable) < BATCH:
        raise ValueError(f"expected at least {BATCH} test scans, found {len(usable)}")
    shuffled = np.random.default_rng(_SHUFFLE_SEED).permutation(usable)
    batches = [shuffled[first : first + BATCH] for first in range(0, min(len(usable), _N_BATCHES * BATCH), BATCH)]
    return [batch for batch in batches if len(batch) >= BATCH // 2]


def _dense(batch: ReadingBatch, n_transmitters: int) -> F32:
    """(n, n_transmitters) dBm, absent readings at -100."""
    dense = np.full((batch.n_scans, n_transmitters), _ABSENT_DBM, dtype=np.float32)
    dense[np.repeat(np.arange(batch.n_scans), np.diff(batch.indptr)), batch.transmitter] = batch.rssi_dbm
    return dense


def _timed(work: Callable[[Any], Any], batches: Sequence[Any]) -> tuple[list[Any], float]:
    """The results, and the median over batches of CPU microseconds a scan."""
    results, costs_us = [], []
    for batch in batches:
        scans = batch[0] if isinstance(batch, tuple) else batch
        n_scans = scans.n_scans if isinstance(scans, ReadingBatch) else len(scans)
        before_s = time.process_time()
        results.append(work(batch))
        costs_us.append((time.process_time() - before_s) * 1e6 / n_scans)
    return results, median(costs_us)


def _fronts(model: VenueModel, answers: Sequence[Located]) -> I32:
    assert model.fronts is not None
    at = {store_id: i for i, store_id in enumerate(model.fronts.store_ids)}
    firsts = [a.position.candidates[0].store_id if a.position and a.position.candidates else None for a in answers]
    return np.array([-1 if first is None else at[first] for first in firsts], dtype=np.int32)


def _percent_right(found: I32, true: I32) -> float:
    return 100.0 * float(np.mean(found == true))


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
