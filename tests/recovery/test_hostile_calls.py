"""One odd phone, scan or caller must not cost another anything: cases that once did."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.ports import Role
from fingerprints.wire import decode_json, to_scan
from kernel.ids import TenantId
from runtime.clocks import EventClock, SystemClock
from runtime.engine import ScanEngine
from runtime.locators import Locators
from runtime.records.schema import answers, coupons, scenes
from scenes.rules import SceneRules
from sim.world import World
from tests.living_server import (
    NOON,
    Living,
    all_rows,
    campaign,
    consents,
    copy_home,
    serve,
    stay,
    wait_until,
)

EDGES = ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00", -62_135_596_800_000]


@pytest.mark.parametrize("at", EDGES)
def test_an_instant_at_the_edge_of_the_calendar_is_refused_alone(living_module: Living, at: str | int) -> None:
    good = stay(living_module.world, living_module.venue.stores[0].id, "x", n=1)[0]
    with living_module.client(Role.DEVICE) as http:
        alone = http.post("/v1/scans", json=good | {"at": at})
        batch = http.post("/v1/scans", json={"scans": [good, good | {"at": at, "scan_id": "odd"}]}).json()["results"]
        steps = http.post("/v1/scans", json=good | {"steps": [{"at": at, "heading_deg": 1}]})
        device = http.put(
            "/v1/devices/edge",
            json={"age_band": "adult", "consents": [{"purpose": "visits", "version": "1", "at": str(at)}]},
        )
    assert (alone.status_code, alone.json()["code"]) == (422, "invalid_time")
    assert steps.status_code == 422
    assert batch[0]["position"] is not None
    assert batch[1]["error"]["code"] == "invalid_time"
    assert device.status_code == 422


def test_a_scan_of_nobody_moves_no_clock(living: Living) -> None:
    store = living.venue.stores[0].id
    with living.client(Role.DEVICE) as phone:
        phone.put("/v1/devices/d-1", json=consents("visits"))
        phone.post("/v1/scans", json={"at": "2026-11-22T10:00:00Z"})
        answers = phone.post("/v1/scans", json={"scans": stay(living.world, store, "d-1")}).json()["results"]
    assert answers[-1]["scene"]["phase"] == "in_store"


def test_a_buffer_flushed_late_or_all_at_one_instant_is_answered(living: Living) -> None:
    first, second = living.venue.stores[0].id, living.venue.stores[1].id
    flips = [scan for _ in range(4) for store in (first, second) for scan in stay(living.world, store, "d-1", n=3)]
    newest = stay(living.world, first, "d-1", n=1, start=NOON + timedelta(seconds=100), prefix="new")
    late = [s | {"scan_id": f"l{i}", "at": (NOON + timedelta(seconds=i)).isoformat()} for i, s in enumerate(flips)]
    same = [s | {"scan_id": f"e{i}", "at": (NOON + timedelta(seconds=100)).isoformat()} for i, s in enumerate(flips)]
    with living.client(Role.DEVICE) as phone, living.client(Role.ADMIN) as admin:
        phone.put("/v1/devices/d-1", json=consents("visits"))
        for scan in [*newest, *late, *same]:
            answer = phone.post("/v1/scans", json=scan)
            assert answer.status_code == 200, answer.text
        events = all_rows(admin, "/v1/events")
    assert len({event["id"] for event in events}) == len(events)


def test_consent_withdrawn_and_given_again_is_no_trap(living: Living) -> None:
    store = living.venue.stores[0].id
    scans = stay(living.world, store, "d-1")
    with living.client(Role.DEVICE) as phone, living.client(Role.ADMIN) as admin:
        made = admin.post("/v1/campaigns", json=campaign(store, per_person=3)).json()
        admin.post(f"/v1/campaigns/{made['id']}:publish")
        for _ in range(3):
            phone.put("/v1/devices/d-1", json=consents("visits", "marketing"))
            assert phone.post("/v1/scans", json={"scans": scans}).status_code == 200
            phone.put("/v1/devices/d-1", json=consents())
            phone.post("/v1/scans", json=scans[-1] | {"scan_id": "after"})
        issued = all_rows(admin, "/v1/coupons")
    assert len(issued) == 1  # one visit, one card, however often it is played


def test_withdrawal_takes_effect_without_another_scan(living: Living) -> None:
    store = living.venue.stores[0].id
    with living.client(Role.DEVICE) as phone, living.client(Role.ADMIN) as admin:
        phone.put("/v1/devices/d-1", json=consents("visits"))
        phone.post("/v1/scans", json={"scans": stay(living.world, store, "d-1")})
        phone.put("/v1/devices/d-1", json=consents())
        wait_until(lambda: None not in {row["left_at"] for row in admin.get("/v1/visits").json()["data"]})

        def held() -> int:
            with living.home.database.read() as connection:
                return sum(
                    connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
                    for table in (scenes, answers)
                )

        wait_until(lambda: held() == 0)


def test_a_paused_campaign_gives_nothing_even_to_a_batch_that_read_it_live(living: Living) -> None:
    store = living.venue.stores[0].id
    with living.client(Role.DEVICE) as phone, living.client(Role.ADMIN) as admin:
        made = admin.post("/v1/campaigns", json=campaign(store)).json()
        admin.post(f"/v1/campaigns/{made['id']}:publish")
        phone.put("/v1/devices/d-1", json=consents("visits", "marketing"))
        phone.post("/v1/scans", json=stay(living.world, store, "d-1", n=1)[0])  # the engine holds it live now
        with living.home.database.write() as connection:  # as another process would: the engine is not told
            connection.exec_driver_sql("UPDATE campaigns SET status = 'paused'")
        answers = phone.post("/v1/scans", json={"scans": stay(living.world, store, "d-1")}).json()["results"]
    assert not any(answer["cards"] for answer in answers)
    with living.home.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(coupons)).scalar_one() == 0


def test_a_huge_number_in_geolocate_drops_its_entry(living_module: Living) -> None:
    body = b'{"wifiAccessPoints": [{"macAddress": "02:00:00:00:00:01", "signalStrength": -1' + b"0" * 400 + b"}]}"
    with living_module.client(Role.DEVICE) as http:
        answer = http.post("/v1/geolocate", content=body)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == 404


def test_a_caller_that_goes_away_takes_nobody_along(living: Living) -> None:
    """Cancelled before, during and after its batch: the engine goes on, and its end answers what waits."""
    engine = ScanEngine(
        living.home.database, Locators(living.home.venues), living.home.keys, EventClock(NOON), SceneRules()
    )
    engine.start()
    tenant = TenantId("default")
    scans = [to_scan(decode_json(b'{"at": 1776484800000}'))] * 50

    async def play() -> None:
        for pause in (0.0, 0.0005, 0.002, 0.01):
            task = asyncio.create_task(engine.answer(tenant, scans))
            await asyncio.sleep(pause)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            found = await asyncio.wait_for(engine.answer(tenant, scans), 10)
            assert len(found) == 50

    asyncio.run(play())
    assert engine.is_running
    engine.stop()
    assert not engine.is_running


@pytest.mark.parametrize("device_id", ["keeps", "allows-nothing"])
def test_a_refused_line_lends_its_refusal_to_no_other(
    prepared_home: Path, small_world: World, tmp_path: Path, device_id: str
) -> None:
    """Lines of one id in one batch: each is judged by itself, and only what was accepted is repeated."""
    with (
        serve(copy_home(prepared_home, tmp_path / "home"), small_world, SystemClock()) as living,
        living.client(Role.DEVICE) as phone,
    ):
        phone.put("/v1/devices/keeps", json=consents("visits"))
        now = datetime.now(UTC)
        good, other = stay(small_world, living.venue.stores[0].id, device_id, n=2, start=now - timedelta(seconds=20))
        ahead = good | {"at": (now + timedelta(hours=1)).isoformat()}
        lines = [ahead, good, ahead, good, other]
        got = phone.post("/v1/scans", json={"scans": lines}).json()["results"]
        again = phone.post("/v1/scans", json={"scans": [ahead, good]}).json()["results"]
    codes = [answer.get("error", {}).get("code") for answer in got]
    assert codes == ["clock_ahead", None, "clock_ahead", None, None]
    assert got[1] == got[3]
    assert got[1]["position"] is not None
    assert again[0]["error"]["code"] == "clock_ahead"
    assert again[1] == got[1]


def test_one_phone_with_a_wrong_date_does_not_move_the_clock_of_events(living: Living) -> None:
    store = living.venue.stores[0].id
    good = stay(living.world, store, "right", n=8)
    wrong = stay(living.world, store, "wrong", n=1, start=NOON + timedelta(hours=25), prefix="w")[0]
    near = stay(living.world, store, "wrong", n=1, start=NOON + timedelta(hours=23), prefix="n")[0]
    with living.client(Role.DEVICE) as phone:
        for name in ("right", "wrong"):
            phone.put(f"/v1/devices/{name}", json=consents("visits")).raise_for_status()
        phone.post("/v1/scans", json={"scans": good[:2]}).raise_for_status()
        refused = phone.post("/v1/scans", json=wrong)
        batch = phone.post("/v1/scans", json={"scans": [wrong | {"scan_id": "w2"}, *good[2:]]}).json()["results"]
        taken = phone.post("/v1/scans", json=near)
    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (422, "clock_ahead", "at")
    assert batch[0]["error"]["code"] == "clock_ahead"
    assert batch[-1]["scene"]["phase"] == "in_store"
    assert taken.status_code == 200


def test_the_clock_of_events_starts_wherever_the_first_scan_says_and_goes_on_by_a_day_at_most() -> None:
    clock = EventClock(NOON)
    assert clock.refusal(NOON + timedelta(days=400)) is None
    assert clock.now() == NOON
    clock.saw(NOON)  # a repeat of the last scan before a restart
    assert clock.refusal(NOON + timedelta(days=400)) is None
    clock.saw(NOON + timedelta(days=400))
    assert clock.now() == NOON + timedelta(days=400)
    assert clock.refusal(NOON) is None
    assert clock.refusal(clock.now() + timedelta(hours=24)) is None
    assert clock.refusal(clock.now() + timedelta(hours=24, seconds=1)) is not None
