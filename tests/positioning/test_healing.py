"""Healing on a small simulated mall: what changed is found, bad labels are refused, no group of stores may lose."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from fingerprints.scan import LabelledScan, Reading, Scan
from kernel.ids import DeviceId, StoreId, TransmitterId
from positioning.bundle import from_bytes, to_bytes
from positioning.confirmed import ConfirmedScan, confirm_labelled, split_days
from positioning.errors import NothingToHealError
from positioning.evaluate import evaluate
from positioning.full import FullLocator
from positioning.healing import RECALIBRATE_FROM, Healed, heal
from positioning.labels import LabelCheck, check_labels
from positioning.light import LightLocator
from positioning.model import VenueModel
from positioning.ports import Locator
from positioning.position import Candidate, Located, Position
from positioning.promotion import LEAST_SCANS, judge_candidate
from positioning.ranker import Ranker
from positioning.train import train_venue
from sim.survey import SURVEY_AT, walk_survey
from sim.world import World
from tests.living_server import SCANS_PER_STORE


@pytest.fixture(scope="module")
def model(small_world: World, ranker: Ranker) -> VenueModel:
    mall = small_world.mall.venue
    survey = small_world.survey(scans_per_store=SCANS_PER_STORE)
    return train_venue(survey, mall, venue_id=mall.id, ranker=ranker).model


def hear(world: World, day: int, per_store: int) -> list[LabelledScan]:
    """Shoppers' scans some weeks after the survey, by phones of their own."""
    return walk_survey(
        world.mall,
        world.radio,
        np.random.default_rng([7, day]),
        phones=6,
        scans_per_store=per_store,
        corridor_scans_per_level=60,
        graph=world.graph,
        starts_at=SURVEY_AT + timedelta(days=30 + day),
        prefix=f"day-{day}-",
    )


@pytest.fixture(scope="module")
def confirmed(small_world: World) -> list[ConfirmedScan]:
    return confirm_labelled(hear(small_world, 1, 12))[0]


@pytest.fixture(scope="module")
def unlabelled(small_world: World) -> list[Scan]:
    return [item.scan for item in hear(small_world, 2, 18)]


@pytest.fixture(scope="module")
def later(small_world: World) -> list[LabelledScan]:
    return [item for item in hear(small_world, 3, 24) if item.truth.store_id is not None]


@pytest.fixture(scope="module")
def healed(model: VenueModel, confirmed: list[ConfirmedScan], unlabelled: list[Scan], ranker: Ranker) -> Healed:
    return heal(model, confirmed, unlabelled, ranker=ranker)


def test_born_and_dead_radios_are_those_that_came_and_went(
    healed: Healed, model: VenueModel, small_world: World
) -> None:
    now, then = set(small_world.radio.transmitters.ids), set(small_world.survey_radio.transmitters.ids)
    known = set(model.survey.transmitters)
    gone = known - now
    assert len(gone) >= 5
    assert len(healed.changes.dead) >= 0.8 * len(gone)
    assert set(healed.changes.dead) <= gone
    assert len(healed.changes.born) >= 5
    assert set(healed.changes.born) <= (now - then) | (now - known)
    assert not set(healed.changes.dead) & set(healed.model.radio_map.index)
    assert set(healed.changes.born) <= set(healed.model.radio_map.index)


def test_the_hotspot_of_one_shopper_is_not_born(
    model: VenueModel, confirmed: list[ConfirmedScan], unlabelled: list[Scan]
) -> None:
    own, of_all = TransmitterId("x-own-hotspot"), TransmitterId("x-new-shop")

    def hears(scan: Scan, name: TransmitterId) -> Scan:
        return replace(scan, readings=(*scan.readings, Reading(name, -50.0)))

    one_phone = unlabelled[0].device_id
    scans = [hears(s, own) if s.device_id == one_phone else s for s in unlabelled]
    assert sum(s.device_id == one_phone for s in scans) >= 20
    others = [i for i, scan in enumerate(scans) if scan.device_id != one_phone][:20]
    for i in others:
        scans[i] = hears(replace(scans[i], device_id=DeviceId(f"p{i}")), of_all)
    born = heal(model, confirmed, scans).changes.born
    assert of_all in born
    assert own not in born
    two_days = [replace(s, at=s.at + timedelta(days=i % 2)) for i, s in enumerate(scans)]
    nameless = [replace(s, device_id=None) for s in scans]
    for others_scans in (two_days, nameless):  # one phone on two days is one phone, and so may nameless scans be
        assert own not in heal(model, confirmed, others_scans).changes.born


def test_a_moved_radio_begins_anew(
    model: VenueModel, confirmed: list[ConfirmedScan], unlabelled: list[Scan], small_world: World
) -> None:
    """Two radios far apart exchange their addresses: both are elsewhere now."""
    radio_map = model.radio_map
    row = np.repeat(np.arange(radio_map.n_scans), np.diff(radio_map.readings.indptr))
    heard = np.zeros((len(radio_map.transmitters), int(model.m_front.max()) + 1))
    np.add.at(heard, (radio_map.readings.transmitter, model.m_front[row]), 1.0)
    living = set(small_world.radio.transmitters.ids)
    often = [t for t in np.argsort(-heard.sum(axis=1)).tolist() if radio_map.transmitters[t] in living][:80]
    share = heard[often] / np.linalg.norm(heard[often], axis=1, keepdims=True)
    one, other = np.unravel_index(np.argmin(share @ share.T), (len(often), len(often)))
    a, b = often[int(one)], often[int(other)]
    swap = {radio_map.transmitters[a]: radio_map.transmitters[b], radio_map.transmitters[b]: radio_map.transmitters[a]}

    def swapped(scan: Scan) -> Scan:
        return replace(
            scan, readings=tuple(replace(r, transmitter=swap.get(r.transmitter, r.transmitter)) for r in scan.readings)
        )

    moved = heal(
        model,
        [replace(item, scan=swapped(item.scan)) for item in confirmed],
        [swapped(scan) for scan in unlabelled],
    ).changes.moved
    still = heal(model, confirmed, unlabelled).changes.moved
    assert set(swap) <= set(moved)
    assert not set(swap) & set(still)


def test_a_healed_map_answers_better_with_either_locator(
    model: VenueModel, healed: Healed, later: list[LabelledScan], ranker: Ranker
) -> None:
    for locators in (
        [LightLocator((model,)), LightLocator((healed.model,))],
        [FullLocator((model,), ranker), FullLocator((healed.model,), ranker)],
    ):
        was, now = (evaluate(locator, healed.model, later).figures for locator in locators)
        assert was.front is not None and now.front is not None
        assert now.front.top1 > was.front.top1


def test_the_sets_in_walkways_are_fitted_anew_from_the_survey(
    model: VenueModel, unlabelled: list[Scan], small_world: World, ranker: Ranker
) -> None:
    """Whatever the present thresholds are: they belong to weights that go. 360 confirmed scans, none in a walkway."""
    confirmed = confirm_labelled(hear(small_world, 1, 18))[0]
    assert len(confirmed) >= RECALIBRATE_FROM
    stale = replace(model.calibration, walkway_set_threshold=0.99, rank_walkway_set_threshold=0.99)
    healed = heal(replace(model, calibration=stale), confirmed, unlabelled, ranker=ranker).model
    found = healed.calibration
    assert found.front != stale.front
    assert found == heal(model, confirmed, unlabelled, ranker=ranker).model.calibration
    walkways = [item for day in (4, 5) for item in hear(small_world, day, 6) if item.truth.store_id is None]
    for locator in (LightLocator((healed,)), FullLocator((healed,), ranker)):
        held = evaluate(locator, healed, walkways).figures.set_coverage
        assert held is not None
        assert held > 80.0  # percent; a walkway's sets hold some 90 weeks later (docs/algorithms/confidence.md)


def test_what_answers_are_worth_moves_from_a_hundred_confirmed_scans_on_and_more_with_more(
    model: VenueModel, unlabelled: list[Scan], small_world: World, ranker: Ranker
) -> None:
    confirmed = confirm_labelled(hear(small_world, 1, 18))[0]

    def moved(asked: list[ConfirmedScan]) -> tuple[float, float]:
        now, was = heal(model, asked, unlabelled, ranker=ranker).model.calibration, model.calibration
        return math.dist(now.front, was.front), math.dist(now.rank, was.rank)

    few, some, many = moved(confirmed[::4]), moved(confirmed[::3]), moved(confirmed)
    assert few == (0.0, 0.0)  # 90 scans
    assert 0.0 < some[0] < many[0]
    assert 0.0 < some[1] < many[1]


def test_the_present_model_is_not_changed_and_a_healed_one_survives_its_file(
    model: VenueModel,
    healed: Healed,
    small_world: World,
    later: list[LabelledScan],
    confirmed: list[ConfirmedScan],
    unlabelled: list[Scan],
    ranker: Ranker,
) -> None:
    before = to_bytes(model)
    again = heal(model, confirmed, unlabelled, ranker=ranker)
    assert to_bytes(model) == before
    stored = to_bytes(healed.model)
    assert to_bytes(again.model) == stored
    back = from_bytes(stored, small_world.mall.venue)
    assert back.radio_map.epochs is not None
    scans = [item.scan for item in later[:100]]
    assert FullLocator((back,), ranker).locate(scans) == FullLocator((healed.model,), ranker).locate(scans)


def _poisoned(confirmed: Sequence[ConfirmedScan], share: float) -> list[ConfirmedScan]:
    stores = sorted({item.store_id for item in confirmed})
    rng = np.random.default_rng(3)
    out = list(confirmed)
    for i in rng.choice(len(out), int(share * len(out)), replace=False).tolist():
        others = [store for store in stores if store != out[i].store_id]
        out[i] = replace(out[i], store_id=others[int(rng.integers(len(others)))])
    return out


def test_a_batch_with_a_tenth_of_its_labels_wrong_is_refused_as_a_whole(
    model: VenueModel, healed: Healed, confirmed: list[ConfirmedScan], unlabelled: list[Scan], ranker: Ranker
) -> None:
    assert healed.labels.reason is None
    poisoned = heal(model, _poisoned(confirmed, 0.1), unlabelled, ranker=ranker)
    assert poisoned.labels.reason is not None
    present = FullLocator((model,), ranker)
    decision = judge_candidate(
        present,
        present,
        confirmed,
        labels=poisoned.labels,
        refreshed=poisoned.refreshed,
        level_of=dict.fromkeys({item.store_id for item in confirmed}, "F1"),
    )
    assert not decision.is_promoted
    assert "cannot be believed" in decision.reason


class _Answers:
    """A locator that names what it is told, by scan id."""

    def __init__(self, named: dict[str, StoreId]) -> None:
        self._named = named
        self.venue_ids = ()

    def locate(self, scans: Sequence[Scan]) -> list[Located]:
        return [
            Located(
                Position(
                    venue_id=self.venue_ids,  # type: ignore[arg-type]  # nobody looks at it
                    level="F1",
                    level_id=None,
                    lat_deg=0.0,
                    lon_deg=0.0,
                    accuracy_m=1.0,
                    confidence=1.0,
                    candidates=(Candidate(self._named[scan.scan_id or ""], "", 1.0),),
                )
            )
            for scan in scans
        ]


_TRUSTED = LabelCheck(100, 0.0, 90, 0.95, 0.95, None)


def _judged(
    confirmed: list[ConfirmedScan],
    wrong_then: set[int],
    wrong_now: set[int],
    refreshed: set[StoreId],
    level_of: dict[StoreId, str] | None = None,
) -> tuple[bool, str]:
    items = [
        replace(item, scan=replace(item.scan, scan_id=f"s{i}"), group=f"g{i}")  # type: ignore[arg-type]  # a plain id
        for i, item in enumerate(confirmed)
    ]
    stores = sorted({item.store_id for item in items})

    def locator(wrong: set[int]) -> Locator:
        other = {store: stores[i - 1] for i, store in enumerate(stores)}
        return _Answers(
            {f"s{i}": other[item.store_id] if i in wrong else item.store_id for i, item in enumerate(items)}
        )

    decision = judge_candidate(
        locator(wrong_then),
        locator(wrong_now),
        items,
        labels=_TRUSTED,
        refreshed=refreshed,
        level_of=level_of or dict.fromkeys(stores, "F1"),
    )
    return decision.is_promoted, decision.reason


def test_a_candidate_is_not_promoted_where_one_group_of_stores_loses(confirmed: list[ConfirmedScan]) -> None:
    stores = sorted({item.store_id for item in confirmed})
    fresh = set(stores[: len(stores) // 2])
    at_fresh = {i for i, item in enumerate(confirmed) if item.store_id in fresh}
    at_other = [i for i in range(len(confirmed)) if i not in at_fresh]
    assert min(len(at_fresh), len(at_other)) >= LEAST_SCANS
    assert _judged(confirmed, at_fresh, set(), fresh) == (True, "no group of stores loses")
    is_promoted, reason = _judged(confirmed, at_fresh, set(at_other[:6]), fresh)  # much gained, a little lost
    assert not is_promoted
    assert "other stores" in reason
    assert "refreshed" not in reason


def test_a_small_level_that_loses_all_its_answers_holds_the_candidate_back(confirmed: list[ConfirmedScan]) -> None:
    stores = sorted({item.store_id for item in confirmed})
    at_first = [i for i, item in enumerate(confirmed) if item.store_id == stores[0]]
    assert 5 <= len(at_first) < LEAST_SCANS
    level_of = dict.fromkeys(stores, "F1") | {stores[0]: "B1"}
    gained = {i for i in range(len(confirmed)) if i not in at_first}  # all other answers are mended
    assert _judged(confirmed, gained, set(), set(stores), level_of)[0]
    is_promoted, reason = _judged(confirmed, gained, set(at_first), set(stores), level_of)
    assert not is_promoted
    assert "level B1" in reason


def test_stores_that_nobody_confirmed_cannot_be_judged_and_hold_the_candidate_back(
    confirmed: list[ConfirmedScan],
) -> None:
    stores = sorted({item.store_id for item in confirmed})
    fresh = set(stores[1:])
    few = [item for item in confirmed if item.store_id in fresh] + [
        item for item in confirmed if item.store_id == stores[0]
    ][: LEAST_SCANS - 25]
    is_promoted, reason = _judged(few, set(), set(), fresh)
    assert not is_promoted
    assert f"{LEAST_SCANS} are needed" in reason
    assert _judged(few, set(), set(), set(stores))[0]  # all were refreshed: there are no others


def test_days_judge_whole_and_no_group_stands_on_both_sides(small_world: World, confirmed: list[ConfirmedScan]) -> None:
    other = confirm_labelled(hear(small_world, 4, 6))[0]
    straddling = replace(other[0], group=confirmed[0].group)
    healing, judged = split_days([*other[1:], straddling, *confirmed], 0.3, SURVEY_AT.tzinfo)  # type: ignore[arg-type]  # it is aware
    assert healing == confirmed
    assert judged == other[1:]
    assert split_days(confirmed, 0.3, SURVEY_AT.tzinfo) == (confirmed, [])  # type: ignore[arg-type]  # it is aware


def test_scans_that_teach_nothing_are_refused(model: VenueModel, confirmed: list[ConfirmedScan]) -> None:
    with pytest.raises(NothingToHealError, match="found none"):
        heal(model, [], [])
    with pytest.raises(NothingToHealError, match="no stores"):
        heal(replace(model, fronts=None), confirmed, [])


def test_labels_with_the_radio_of_another_place_are_refused(model: VenueModel, confirmed: list[ConfirmedScan]) -> None:
    """The model cannot place such scans at all; believed, they would make each of its radios dead."""
    foreign = tuple(Reading(TransmitterId(f"x-foreign-{i}"), -50.0 - i) for i in range(20))
    elsewhere = [replace(item, scan=replace(item.scan, readings=foreign)) for item in confirmed]
    check = check_labels(
        elsewhere,
        LightLocator((model,)).locate([item.scan for item in elsewhere]),
        {item.store_id for item in elsewhere},
    )
    assert check.reason is not None
    assert check.far_share == 1.0
