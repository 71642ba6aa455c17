"""Healing on the ranker bench's malls: weeks after the survey, by confirmed scans and the model's own sure answers.

The malls, surveys and test scans are those of ``ranker.py``. Three other days, heard by other phones: 10 confirmed
scans a store to heal with, 20 unlabelled ones, 8 confirmed ones to judge by; the test is of a fourth day, again by
others. Both locators answer from the same healed model; the plain reference is WKNN on its radio map. No constant of
healing was chosen on these seeds (docs/algorithms/healing.md names those). Simulated figures rank methods; they promise
nothing for a mall.

Run it with ``atrium bench healing`` or ``python -m benchmarks.healing``; about 20 minutes.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np

from benchmarks.ranker import AgedMall, make_aged_mall, over_seeds, scan_stores
from fingerprints.scan import LabelledScan, Scan
from kernel.ids import StoreId, VenueId
from positioning.confirmed import ConfirmedScan, confirm_labelled
from positioning.evaluate import evaluate
from positioning.full import FullLocator
from positioning.healing import Healed, heal
from positioning.light import LightLocator
from positioning.model import VenueModel
from positioning.ports import Locator
from positioning.position import Located
from positioning.promotion import Promotion, judge_candidate
from positioning.ranker import Ranker
from positioning.train import train_venue
from runtime.rankers import load_ranker
from sim.listening import draw_phones
from sim.survey import SURVEY_AT

SEEDS = (1, 2, 3, 4, 5)
_LABELS, _UNLABELLED, _JUDGED = 10, 20, 8
_PHONES, _OTHER_PHONES = 20, 12
_POISONED_SHARE = 0.1


@dataclass(frozen=True)
class Days:
    """What is heard after the radios have aged, a day each; ``half`` are the stores that get labels where half do."""

    mall: AgedMall
    labels: list[LabelledScan]
    unlabelled: list[Scan]
    judged: list[ConfirmedScan]
    half: frozenset[StoreId]


def run(seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """Figures by seed and their means, percent; decisions as shares of the seeds."""
    return over_seeds([measure(seed) for seed in seeds])


def measure(seed: int) -> dict[str, Any]:
    """One mall, all ways of healing it."""
    days = make_days(seed)
    ranker = load_ranker()
    mall = days.mall
    model = train_venue(mall.survey, mall.venue, venue_id=VenueId(mall.venue.id), ranker=ranker).model
    return {"seed": seed} | measure_model(days, model, ranker)


def measure_model(days: Days, model: VenueModel, ranker: Ranker) -> dict[str, dict[str, float]]:
    """All ways of healing a model."""
    present = _locators(model, ranker)
    every = [item for item, _ in zip(*_numbered(days.labels), strict=True)]
    some = {n: [item for item, number in zip(*_numbered(days.labels), strict=True) if number < n] for n in (1, 3)}
    of_half = [item for item in every if item.truth.store_id in days.half]
    rng = np.random.default_rng([len(every), 9])
    out = {f"{kind}: not healed": _figures(locator, model, days) for kind, locator in present.items()}
    cases: list[tuple[str, list[LabelledScan], list[Scan]]] = [
        ("sure answers alone", [], days.unlabelled),
        ("1 a store + sure", some[1], days.unlabelled),
        ("3 a store + sure", some[3], days.unlabelled),
        ("10 a store + sure", every, days.unlabelled),
        ("10 in half the stores + sure", of_half, days.unlabelled),
        ("10 in half the stores alone", of_half, []),
        ("10 a store, 10 % wrong + sure", _poison(days, every, rng), days.unlabelled),
        ("10 a store, 10 % next door + sure", _poison(days, every, rng, next_door=True), days.unlabelled),
    ]
    for name, labels, unlabelled in cases:
        healed = heal(model, confirm_labelled(labels)[0], unlabelled, ranker=ranker)
        out[f"healing: {name}"] = _counts(healed, days)
        for kind, locator in _locators(healed.model, ranker).items():
            decision = _judge(days, present[kind], locator, healed)
            out[f"{kind}: {name}"] = _figures(locator, healed.model, days) | {"promoted": float(decision.is_promoted)}
            print(f"{kind}: {name}: {decision.reason}", file=sys.stderr)
    return out


def make_days(seed: int) -> Days:
    """The mall of a seed and its days."""
    mall = make_aged_mall(seed)
    n_stores = len(mall.venue.stores)

    def hear(per_store: int, phones: int, day: int, prefix: str) -> list[LabelledScan]:
        rng = np.random.default_rng([seed, 20 + day])
        crowd = draw_phones(phones, mall.spec, rng)
        asked = np.full(n_stores, per_store)
        return scan_stores(
            mall.venue, mall.later, mall.cells, asked, crowd, rng, prefix, SURVEY_AT + timedelta(days=30 + day)
        )

    half = np.random.default_rng([seed, 20]).permutation(n_stores)[: n_stores // 2]
    return Days(
        mall,
        hear(_LABELS, _PHONES, 1, "h"),
        [item.scan for item in hear(_UNLABELLED, _PHONES, 2, "u")],
        confirm_labelled(hear(_JUDGED, _OTHER_PHONES, 3, "j"))[0],
        frozenset(mall.venue.stores[i].id for i in half),
    )


def _numbered(labels: Sequence[LabelledScan]) -> tuple[list[LabelledScan], list[int]]:
    """Each label, and how many of its store came before it."""
    counts: dict[StoreId | None, int] = {}
    numbers = []
    for item in labels:
        numbers.append(counts.get(item.truth.store_id, 0))
        counts[item.truth.store_id] = numbers[-1] + 1
    return list(labels), numbers


def _poison(
    days: Days, labels: Sequence[LabelledScan], rng: np.random.Generator, *, next_door: bool = False
) -> list[LabelledScan]:
    """A tenth of the labels name another store of the venue, or the one next door."""
    stores = days.mall.venue.stores
    out = list(labels)
    for i in rng.choice(len(out), int(_POISONED_SHARE * len(out)), replace=False).tolist():
        own = days.mall.venue.store(StoreId(out[i].truth.store_id or ""))
        others = [store for store in stores if store.id != own.id and (not next_door or store.level_id == own.level_id)]
        if next_door:
            wrong = min(others, key=lambda store: store.area.distance(own.area)).id
        else:
            wrong = others[int(rng.integers(len(others)))].id
        out[i] = replace(out[i], truth=replace(out[i].truth, store_id=wrong))
    return out


def _locators(model: VenueModel, ranker: Ranker) -> dict[str, Locator]:
    return {"full": FullLocator((model,), ranker), "light": LightLocator((model,))}


def _judge(days: Days, present: Locator, candidate: Locator, healed: Healed) -> Promotion:
    names = {level.id: level.short_name for level in days.mall.venue.levels}
    return judge_candidate(
        present,
        candidate,
        days.judged,
        labels=healed.labels,
        refreshed=healed.refreshed,
        level_of={store.id: names[store.level_id] for store in days.mall.venue.stores},
    )


def _figures(locator: Locator, model: VenueModel, days: Days) -> dict[str, float]:
    test = days.mall.test
    found = evaluate(locator, model, test)
    mine, plain = found.figures, found.baseline
    assert mine.front is not None and plain.front is not None and mine.ece is not None
    assert mine.set_coverage is not None
    out = {
        "top1": mine.front.top1,
        "top3": mine.front.top3,
        "ece": mine.ece,
        "set_coverage": mine.set_coverage,
        "wknn_top1": plain.front.top1,
    }
    answers = locator.locate([item.scan for item in test])
    right = np.array([_names(answer, item) for answer, item in zip(answers, test, strict=True)])
    is_of_half = np.array([item.truth.store_id in days.half for item in test])
    out["labelled half"] = 100.0 * float(right[is_of_half].mean())
    out["other half"] = 100.0 * float(right[~is_of_half].mean())
    return out


def _names(answer: Located, item: LabelledScan) -> bool:
    """Whether the first candidate is the true store."""
    position = answer.position
    return position is not None and position.candidates[0].store_id == item.truth.store_id


def _counts(healed: Healed, days: Days) -> dict[str, float]:
    """What healing found, beside what became of the radios of the mall."""
    changes = healed.changes
    now = set(days.mall.later.transmitters.ids)
    before = {reading.transmitter for item in days.mall.survey for reading in item.scan.readings}
    return {
        "labels refused": float(healed.labels.reason is not None),
        "sure": float(healed.n_sure),
        "born": float(len(changes.born)),
        "born that are": float(sum(t in now and t not in before for t in changes.born)),
        "dead": float(len(changes.dead)),
        "dead that are": float(sum(t not in now for t in changes.dead)),
        "moved": float(len(changes.moved)),
    }


if __name__ == "__main__":
    print(json.dumps(run(tuple(map(int, sys.argv[1:])) or SEEDS), indent=2))
