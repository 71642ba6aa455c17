"""Phones with wrong clocks, gaps, queues that come late and batches that come twice, against the real server."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import sqlalchemy as sa

from api.ports import Role
from atrium_client import CampaignDraft, Client, Device, Scan
from kernel.clock import from_epoch_us
from runtime.clocks import PlayedClock
from runtime.records.schema import answers, coupons, visits
from sim.delivery import ClockSpec, DeliverySpec, ScanSends, deliver
from sim.schedules import PhoneMix, draw_mix, only_beacons, scan_times
from sim.sending import CallSpec
from sim.tills import Outage, TillSpec, idempotency_key, till_sends
from sim.world import World
from tests.living_server import NOON, Living, campaign, consents, copy_home, serve, stay

SEED, N_PHONES, LASTS_S = 12, 20, 600.0
NO_SWEEP_S = 86_400.0
"""Ten minutes are played in seconds: a sweep between two calls would change a scene that no scan has changed."""
SPEC = DeliverySpec(
    clock=ClockSpec(wrong_ratio=0.2, wrong_s=(200.0, 900.0)),
    calls=CallSpec(answer_lost_ratio=0.1),
    online_s=150.0,
    offline_s=150.0,
    hasty_ratio=0.5,
    flush_after_s=(30.0, 90.0),
)


@dataclass
class Played:
    """What was sent and what was answered, row by row."""

    living: Living
    sends: ScanSends
    phone: np.ndarray
    at_s: np.ndarray
    scans: list[dict[str, Any]]
    answers: list[Any] = field(default_factory=list)


@pytest.fixture(scope="module")
def played(prepared_home: Path, small_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Twenty phones, each ten minutes in one of three stores; every call of theirs is made."""
    person = np.arange(100, 100 + N_PHONES)
    kinds = draw_mix(person, PhoneMix(0.7, 0.15, 0.0, 0.15), SEED)
    times = scan_times(kinds, person, 0.0, LASTS_S, SEED)
    sends = deliver(person, times.phone, times.at_s, SEED, spec=SPEC)
    said_s = np.empty(len(times))
    said_s[sends.scan] = sends.at_said_s
    beacons_only = only_beacons(kinds)
    scans = []
    for phone in range(N_PHONES):
        mine = np.flatnonzero(times.phone == phone)
        store = small_world.mall.venue.stores[phone % 3].id
        for scan, made in zip(mine, stay(small_world, store, f"d-{phone}", n=len(mine)), strict=True):
            at = NOON + timedelta(seconds=float(said_s[scan]))
            wifi = [] if beacons_only[phone] else made["wifi"]
            scans.append(
                {**made, "scan_id": f"{phone}-{times.number[scan]}", "at": round(1_000 * at.timestamp()), "wifi": wifi}
            )
    clock = PlayedClock(NOON)
    folder = copy_home(prepared_home, tmp_path_factory.mktemp("faulty") / "home")
    with (
        serve(folder, small_world, clock, sweep_every_s=NO_SWEEP_S) as living,
        Client(living.url, living.keys[Role.ADMIN]) as client,
    ):
        for phone in range(N_PHONES):
            client.put_device(f"d-{phone}", cast("Device", consents("visits", "marketing")))
        for aimed in small_world.mall.venue.stores[:3]:
            draft = cast("CampaignDraft", campaign(aimed.id, budget=1_000))
            client.publish_campaign(client.create_campaign(draft)["id"])
        run = Played(living, sends, times.phone, times.at_s, scans)
        for start, end in zip(sends.call_starts[:-1], sends.call_starts[1:], strict=True):
            clock.set(NOON + timedelta(seconds=float(sends.sent_at_s[start])))
            run.answers += client.locate_many([cast("Scan", scans[scan]) for scan in sends.scan[start:end]])
        yield run


def is_ahead(run: Played) -> np.ndarray:
    """Rows whose scan is dated more than five minutes ahead of the server's clock."""
    return run.sends.at_said_s - run.sends.sent_at_s > 300.0


def late_rows(run: Played) -> list[int]:
    """Rows that first come more than 120 s before the same phone's last scan, by the phone's own clock."""
    newest_ms = np.full(N_PHONES, np.iinfo(np.int64).min // 2)
    said_ms = np.round(1_000 * run.sends.at_said_s).astype(np.int64)  # as the scans are dated
    late = []
    ahead = is_ahead(run)
    for start, end in zip(run.sends.call_starts[:-1], run.sends.call_starts[1:], strict=True):
        for row in range(start, end):
            whose = run.phone[run.sends.scan[row]]
            if ahead[row] or run.sends.attempt[row] > 0:
                continue
            if newest_ms[whose] - said_ms[row] > 120_000:
                late.append(row)
            else:
                newest_ms[whose] = max(newest_ms[whose], said_ms[row])
    return late


def test_the_run_has_every_fault(played: Played) -> None:
    assert len(played.sends.call_starts) - 1 > 300
    assert np.count_nonzero(played.sends.attempt) > 30
    assert len(late_rows(played)) > 20
    assert np.count_nonzero(is_ahead(played)) > 20
    assert any(not scan["wifi"] and scan["beacons"] for scan in played.scans)
    assert not len(played.sends.dropped)


def test_each_scan_is_counted_once_and_none_that_is_dated_ahead(played: Played) -> None:
    with played.living.home.database.read() as connection:
        stored = [tuple(row) for row in connection.execute(sa.select(answers.c.device_ref, answers.c.scan_id))]
    taken = {played.scans[scan]["scan_id"] for scan in played.sends.scan[~is_ahead(played)]}
    assert len(stored) == len(set(stored))
    assert sorted(scan_id for _, scan_id in stored) == sorted(taken)


def test_a_batch_that_comes_again_gets_the_same_answers(played: Played) -> None:
    first: dict[int, Any] = {}
    n_repeated = 0
    for row, answer in enumerate(played.answers):
        scan = int(played.sends.scan[row])
        if played.sends.attempt[row] == 0:
            first[scan] = answer
        elif not is_ahead(played)[row] and "error" not in first[scan]:
            assert answer == first[scan]
            n_repeated += 1
    assert n_repeated > 20


def test_a_scan_is_refused_as_ahead_exactly_where_its_clock_is_over_5_minutes_ahead(played: Played) -> None:
    fresh = played.sends.attempt == 0
    refused = np.array([answer.get("error", {}).get("code") == "clock_ahead" for answer in played.answers])
    assert refused[fresh].tolist() == is_ahead(played)[fresh].tolist()
    assert all("error" not in answer or is_refused for answer, is_refused in zip(played.answers, refused, strict=True))


def test_a_late_scan_gets_its_position_and_leaves_the_scene_as_it_was(played: Played) -> None:
    late, calls = set(late_rows(played)), set(played.sends.call_starts.tolist())
    told: dict[int, Any] = {}
    before: dict[int, Any] = {}  # the call, whose late scans of the last two minutes may revise the scene
    for row, answer in enumerate(played.answers):
        if row in calls:
            before = dict(told)
        if played.sends.attempt[row] > 0 or "error" in answer:
            continue
        whose = int(played.phone[played.sends.scan[row]])
        if row in late:
            hears_wifi = bool(played.scans[played.sends.scan[row]]["wifi"])
            assert answer["position"] is not None or (answer["reason"] is not None and not hears_wifi)
            assert answer["scene"] in (told[whose], before.get(whose))
            assert answer["cards"] == []
        told[whose] = answer["scene"]


def test_faults_cost_nobody_their_visit_and_give_nobody_a_second_coupon(played: Played) -> None:
    with played.living.home.database.read() as connection:
        given = connection.execute(sa.select(coupons.c.person, coupons.c.campaign_id)).all()
        seen = connection.execute(sa.select(sa.func.count(sa.distinct(visits.c.person)))).scalar()
    assert len(given) == len(set(given)) >= 10
    ahead = {int(played.phone[scan]) for scan in played.sends.scan[is_ahead(played)]}
    assert seen is not None
    assert seen >= N_PHONES - len(ahead) - 3  # three phones scan each 31 s: too few in ten minutes with as many gaps


def test_tills_redeem_each_coupon_once_through_an_outage_and_lost_answers(played: Played) -> None:
    codes: dict[str, str] = {}
    for answer in played.answers:
        for card in answer.get("cards") or ():
            codes[card["coupon"]["code"]] = str(answer["scene"]["visit_id"])
    stores = [store.id for store in played.living.venue.stores]
    with played.living.home.database.read() as connection:
        where = dict(connection.execute(sa.select(coupons.c.code, coupons.c.stores)).all())
        expires = from_epoch_us(min(row[0] for row in connection.execute(sa.select(coupons.c.expires_us))))
    assert expires > datetime(2026, 4, 18, tzinfo=UTC)
    acts = [(stores.index(next(iter(where[code]))), 30.0 * n, code) for n, code in enumerate(sorted(codes))]
    spec = TillSpec(np.inf, 1.0, (Outage(60.0, 400.0),), CallSpec(1, answer_lost_ratio=0.4))
    store, at_s, code = ([act[part] for act in acts] for part in range(3))
    sends = till_sends(store, at_s, SEED, n_stores=len(stores), spec=spec)
    assert np.count_nonzero(sends.attempt) >= 3
    heard: dict[int, Any] = {}
    with Client(played.living.url, played.living.keys[Role.CASHIER]) as till:
        for act in sends.act.tolist():
            key = idempotency_key("test", 0, store[act], act)
            answer = till.redeem(code[act], stores[store[act]], key)
            assert heard.setdefault(act, answer) == answer
    assert len({answer["id"] for answer in heard.values()}) == len(acts) >= 10
