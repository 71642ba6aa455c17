"""The methods of the bench: the reference is the product's, the others what their formulas say; empty is not zero."""

import math
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from benchmarks.positioning.arrays import ScanArrays, SurveyArrays, read_survey_arrays, read_truth
from benchmarks.positioning.bayes import GaussBayes, MultinomialBayes, OffsetBayes
from benchmarks.positioning.light import Light
from benchmarks.positioning.method import Answers, Method
from benchmarks.positioning.neighbours import NearestEuclid, WknnEuclid, WknnSorensen
from benchmarks.positioning.run import compare
from benchmarks.positioning.splits import Split
from benchmarks.positioning.table import to_json, to_rows
from benchmarks.positioning.trees import BoostedMulticlass, Forest, ForestPlace
from fingerprints.scan import LabelledScan
from kernel.ids import StoreId, VenueId
from positioning.evaluate import evaluate
from positioning.light import LightLocator
from positioning.train import train_venue
from sim.world import World
from venues.model import Venue


@pytest.fixture(scope="module")
def venue(small_world: World) -> Venue:
    return small_world.mall.venue


def without_stores(scans: tuple[LabelledScan, ...]) -> tuple[LabelledScan, ...]:
    return tuple(replace(item, truth=replace(item.truth, store_id=None)) for item in scans)


@pytest.mark.parametrize("has_map", [True, False])
def test_reference_and_light_have_the_figures_of_evaluate(split: Split, venue: Venue, has_map: bool) -> None:
    """Written apart from ``positioning/baseline.py`` and counted apart from ``positioning/evaluate.py``; powers in
    float32 may order two neighbours of equal distance otherwise, hence 1 cm."""
    if not has_map:
        split = replace(split, survey=without_stores(split.survey), test=without_stores(split.test))
    on = venue if has_map else None
    model = train_venue(split.survey, on, venue_id=VenueId("v")).model
    expected = evaluate(LightLocator((model,)), model, split.test)
    found = compare(split, on, (WknnSorensen, Light), (0,), lambda *_: None)
    for mine, theirs in zip(found, (expected.baseline, expected.figures), strict=True):
        figures = mine.figures
        assert theirs.error_m is not None
        assert figures["level_percent"] == pytest.approx(theirs.floor_percent)
        for name in ("p50", "p75", "p95"):
            assert figures[f"error_m_{name}"] == pytest.approx(getattr(theirs.error_m, name), abs=0.01)
        assert figures["error_m_mean"] == pytest.approx(theirs.error_m.mean, abs=0.01)
        assert figures["ece"] == pytest.approx(theirs.ece)
        assert (theirs.front is None) == (not has_map)
        if theirs.front is not None:
            assert figures["store_top1_percent"] == pytest.approx(theirs.front.top1)
            assert figures["store_top3_percent"] == pytest.approx(theirs.front.top3)
        else:
            assert figures["store_top1_percent"] is None


def test_every_method_beats_guessing_in_a_small_mall(split: Split, venue: Venue) -> None:
    """Twenty stores, corridor scans judged by the nearest front: guessing finds one in twenty, they find a half."""
    methods: tuple[type[Method], ...] = (
        WknnSorensen, Light, NearestEuclid, WknnEuclid, MultinomialBayes, GaussBayes, OffsetBayes, Forest, ForestPlace,
    )  # fmt: skip
    found = compare(split, venue, methods, (0,), lambda *_: None)
    assert [item.name for item in found] == [method.name for method in methods]
    assert all((item.figures["store_top1_percent"] or 0.0) > 40.0 for item in found)
    tells_place = {item.name for item in found if item.figures["error_m_mean"] is not None}
    assert tells_place == {"wknn-sorensen", "light", "1nn-euclid", "wknn-euclid", "forest-place"}
    claims = {item.name for item in found if item.figures["ece"] is not None}
    assert claims == {"light", "nb-multinomial", "nb-gauss", "nb-offset", "forest"}


def test_lightgbm_trains_with_many_small_classes(split: Split, venue: Venue, needs_lightgbm: None) -> None:
    found = compare(split, venue, (WknnSorensen, BoostedMulticlass), (0,), lambda *_: None)
    assert (found[1].figures["store_top1_percent"] or 0.0) > 40.0


def test_without_stores_bayes_finds_cells_and_forests_levels(split: Split) -> None:
    bare = replace(split, survey=without_stores(split.survey), test=without_stores(split.test))
    reference, bayes, forest = compare(bare, None, (WknnSorensen, OffsetBayes, Forest), (0,), lambda *_: None)
    assert bayes.figures["error_m_mean"] == pytest.approx(reference.figures["error_m_mean"], rel=0.5)
    assert (forest.figures["level_percent"], forest.figures["error_m_mean"]) == (100.0, None)
    assert forest.figures["store_top1_percent"] is None


def test_stores_of_the_labels_alone_are_ranked_and_unseen_ones_missed(split: Split) -> None:
    named = replace(split, test=tuple(item for item in split.test if item.truth.store_id is not None))
    seen = compare(named, None, (WknnSorensen, OffsetBayes), (0,), lambda *_: None)
    elsewhere = StoreId("st_opened_since")
    moved = tuple(replace(item, truth=replace(item.truth, store_id=elsewhere)) for item in named.test)
    unseen = compare(replace(named, test=moved), None, (WknnSorensen, OffsetBayes), (0,), lambda *_: None)
    assert all((item.figures["store_top1_percent"] or 0.0) > 40.0 for item in seen)
    assert [item.figures["store_top3_percent"] for item in unseen] == [0.0, 0.0]
    nowhere = compare(split, None, (WknnSorensen,), (0,), lambda *_: None)[0]
    assert (nowhere.n, nowhere.n_with_store) == (len(split.test), len(named.test))


def test_gaussian_likelihood_is_that_of_the_formulas(split: Split, venue: Venue) -> None:
    """Research section 2, one store and one reading at a time."""
    survey = read_survey_arrays(split.survey, venue)
    dense, places = survey.dense(), survey.places()
    row = dense[5]
    method = OffsetBayes(0)
    method.fit(survey)
    found = method._score(row)
    heard_anywhere = np.isfinite(dense).mean(axis=0).clip(0.001, 0.9)
    for place in (0, 7, places.n - 1):
        rows = dense[places.of_scan == place].astype(np.float64)
        n, terms, presence = len(rows), [], 0.0
        for b in range(dense.shape[1]):
            x = rows[np.isfinite(rows[:, b]), b]
            c = len(x)
            p = min(max((c + 0.5 * float(heard_anywhere[b]) + 0.02) / (n + 0.6), 0.003), 0.97)
            presence += math.log(1 - p)
            if np.isfinite(row[b]):
                mean = (x.sum() - 86) / (c + 1)
                spread = max(((x.var() if c else 0.0) * c + 6 * 36) / (c + 6), 3.5**2)
                presence += math.log(p) - math.log(1 - p)
                terms.append((float(row[b]) - mean, spread, c))
        trust = [min(c / 2, 1) / spread for _, spread, c in terms]
        offset = sum(w * away for w, (away, _, _) in zip(trust, terms, strict=True)) / (1 / 36 + sum(trust))
        signal = -(offset**2) / 72
        for away, spread, c in terms:
            z, m = min((away - offset) ** 2 / spread, 3.5**2), min(c, 1)
            signal -= (m * z + (1 - m) * 3.5**2) / 2 + math.log(spread) / 2
        assert found[place] == pytest.approx(0.35 * (signal + 0.3 * presence), rel=1e-4)  # sums are of float32


class Coin:
    """Names stores at random; tells neither level nor place."""

    name: ClassVar[str] = "coin"
    has_chance: ClassVar[bool] = True
    made: ClassVar[list[int]] = []

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def fit(self, survey: SurveyArrays) -> None:
        self._n = len(survey.store_ids)

    def answer(self, scans: ScanArrays) -> Answers:
        return Answers(store=self._rng.integers(0, self._n, (len(scans.scans), 1)).astype(np.int32))


def test_what_a_method_cannot_give_is_empty_and_chance_has_a_spread(split: Split, venue: Venue) -> None:
    found = compare(split, venue, (WknnSorensen, Coin), (3, 4, 5), lambda *_: None)
    reference, coin = found
    assert (reference.seeds, coin.seeds) == ((), (3, 4, 5))
    assert coin.figures["level_percent"] is None
    assert coin.figures["error_m_mean"] is None
    assert coin.difference["error_m_mean"] is None
    assert 0.0 < (coin.figures["store_top1_percent"] or 0.0) < 20.0  # 5 % of about 200, sd 1.5
    assert (coin.seed_sd["store_top1_percent"] or 0.0) > 0.0
    assert reference.seed_sd["store_top1_percent"] is None
    columns, rows = to_rows(found)
    cells = dict(zip(columns, rows[1], strict=True))
    assert cells["method"] == "coin (3 seeds)"
    assert (cells["level %"], cells["mean m"], cells["median"]) == ("", "", "")
    assert "building %" not in columns
    assert "±" in cells["top-1 %"]
    assert rows[0][columns.index("vs wknn-sorensen")] == ""
    told = to_json(found)[1]
    assert told["level_percent"] is None
    assert told["vs_reference"]["error_m_mean"] is None
    assert told["interval"]["store_top1_percent"][0] < told["store_top1_percent"]


def test_answers_of_another_number_than_the_scans_are_refused(split: Split, venue: Venue) -> None:
    class Short(Coin):
        def answer(self, scans: ScanArrays) -> Answers:
            return Answers(level=np.zeros(len(scans.scans) - 1, dtype=np.int32))

    with pytest.raises(ValueError, match=f"expected {len(split.test)} rows in the answers' level"):
        compare(split, venue, (WknnSorensen, Short), (0,), lambda *_: None)


def test_scans_that_hear_nothing_known_get_no_answer(split: Split, venue: Venue) -> None:
    deaf = replace(split, test=tuple(replace(t, scan=replace(t.scan, readings=())) for t in split.test))
    for item in compare(deaf, venue, (WknnSorensen, Light, OffsetBayes, Forest), (0,), lambda *_: None):
        assert (item.n_answered, item.figures["level_percent"], item.figures["store_top1_percent"]) == (0, 0.0, 0.0)
        assert item.figures["error_m_mean"] is None
        assert item.figures["ece"] is None


def test_the_truth_is_the_label_else_the_nearest_front(split: Split, venue: Venue) -> None:
    survey = read_survey_arrays(split.survey, venue)
    truth = read_truth(survey, split.test)
    assert (truth.store >= 0).all()
    for at, item in enumerate(split.test):
        if item.truth.store_id is not None:
            assert survey.store_ids[truth.store[at]] == item.truth.store_id
