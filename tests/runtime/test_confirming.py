"""Waiting scans become learning samples where a till names the store, and by nothing else."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from api.ports import Role
from fingerprints.scan import Reading, Scan
from kernel.ids import DeviceRef, TenantId, TransmitterId, VenueId
from runtime.demo import VENUE_ID
from runtime.records.learning_samples import KEPT_SAMPLES, StoredPlaces, drop_old_samples
from runtime.records.schema import learning_samples, metadata
from runtime.records.tenants import DEFAULT_TENANT
from runtime.waiting_scans import KEPT, REACH, WaitingScans, phone_class_of
from tests.living_server import NOON, Living, campaign, consents, stay

TENANT, VENUE, PHONE = TenantId("t"), VenueId("v"), DeviceRef("dev_1")
SECOND = timedelta(seconds=1)


def heard(at: datetime, dbm: float = -50.4) -> Scan:
    return Scan(at, (Reading(TransmitterId("02:00:00:00:00:01"), dbm),))


def filled(*instants: datetime, most: int = 100) -> WaitingScans:
    waiting = WaitingScans(most)
    for at in instants:
        waiting.add(TENANT, PHONE, heard(at), VENUE, "Pixel 8 Pro")
    return waiting


def test_the_newest_scan_within_reach_is_found_and_no_other() -> None:
    waiting = filled(NOON - REACH - SECOND, NOON - REACH, NOON + REACH, NOON + REACH + SECOND)
    now = NOON + REACH + SECOND
    found = waiting.newest(TENANT, PHONE, NOON, now)
    assert found is not None
    assert (found.at, found.phone_class, found.readings) == (NOON + REACH, "pixel", (("02:00:00:00:00:01", -50),))
    assert waiting.newest(TENANT, PHONE, NOON - timedelta(hours=1), now) is None
    assert waiting.newest(TENANT, DeviceRef("dev_2"), NOON, now) is None
    assert waiting.newest(TenantId("u"), PHONE, NOON, now) is None


def test_a_scan_waits_ten_minutes_and_no_longer() -> None:
    waiting = filled(NOON)
    assert waiting.newest(TENANT, PHONE, NOON, NOON + KEPT) is not None
    assert waiting.newest(TENANT, PHONE, NOON, NOON + KEPT + SECOND) is None
    waiting.drop_old(NOON + KEPT)
    assert len(waiting) == 1
    waiting.drop_old(NOON + KEPT + SECOND)
    assert len(waiting) == 0


def test_memory_is_bounded_and_the_phones_heard_longest_ago_go_first() -> None:
    waiting = WaitingScans(5)
    for number in range(4):
        for ref in ("dev_1", "dev_2"):
            waiting.add(TENANT, DeviceRef(ref), heard(NOON + number * SECOND), VENUE, None)
            assert len(waiting) <= 5
    assert waiting.newest(TENANT, DeviceRef("dev_2"), NOON, NOON) is not None
    long = filled(*(NOON + number * SECOND for number in range(100)), most=1_000)
    assert len(long) == 60
    long.forget(TENANT, PHONE)
    assert len(long) == 0


def test_a_class_of_phones_is_no_model() -> None:
    assert [phone_class_of(model) for model in ("Pixel 8 Pro", " HUAWEI P60", "", None, "x" * 99)] == [
        "pixel",
        "huawei",
        "unknown",
        "unknown",
        "x" * 32,
    ]


def samples(living: Living) -> list[Any]:
    with living.home.database.read() as connection:
        return list(connection.execute(sa.select(learning_samples)).all())


def come(
    living: Living, device_id: str, *purposes: str, start: datetime = NOON, **changes: Any
) -> list[dict[str, Any]]:
    """A phone that stays in the first store for a little more than a minute; the answers."""
    with living.client(Role.DEVICE) as phone:
        phone.put(f"/v1/devices/{device_id}", json=consents(*purposes) | changes).raise_for_status()
        scans = stay(living.world, living.venue.stores[0].id, device_id, start=start)
        answers: list[dict[str, Any]] = phone.post("/v1/scans", json={"scans": scans}).json()["results"]
    return answers


def pay(living: Living, device_id: str, receipt_id: str = "r-1", **changes: Any) -> None:
    told = {
        "source": "till-7",
        "receipt_id": receipt_id,
        "store_id": living.venue.stores[0].id,
        "at": (NOON + timedelta(minutes=1)).isoformat(),
        "amount": 500,
        "currency": "CNY",
        "identities": [{"kind": "maker", "value": device_id}],
    }
    with living.client(Role.CASHIER) as till:
        till.post("/v1/payments", json=told | changes).raise_for_status()


def test_a_payment_makes_the_newest_scan_of_its_phone_a_sample_once(living: Living) -> None:
    come(living, "d-1", "analytics")
    for _ in range(2):
        pay(living, "d-1")
    pay(living, "d-1", "r-2")
    (row,) = samples(living)
    last = stay(living.world, living.venue.stores[0].id, "d-1")[-1]
    assert (row.store_id, row.venue_id, row.day, row.phone_class) == (
        living.venue.stores[0].id,
        VENUE_ID,
        "2026-04-18",
        "test",
    )
    heard_wifi = {(one["bssid"], round(one["rssi_dbm"])) for one in last["wifi"]}
    assert heard_wifi == {(name, dbm) for name, dbm in row.readings if not name.startswith("ib:")}
    assert set(row._mapping) == {"id", "tenant_id", "venue_id", "store_id", "day", "phone_class", "readings"}


def test_a_redemption_names_the_store_of_the_phone_that_was_given_the_coupon(living: Living) -> None:
    store = living.venue.stores[0].id
    with living.client(Role.ADMIN) as http:
        made = http.post("/v1/campaigns", json=campaign(store)).json()
        http.post(f"/v1/campaigns/{made['id']}:publish").raise_for_status()
        answers = come(living, "d-1", "visits", "marketing", "analytics")
        code = next(card["coupon"]["code"] for answer in answers for card in answer["cards"])
        for _ in range(2):
            http.post("/v1/redemptions", json={"code": code, "store_id": store})
    assert [row.store_id for row in samples(living)] == [store]


@pytest.mark.parametrize(
    ("purposes", "record"),
    [
        (("visits", "marketing"), {}),
        (("analytics",), {"age_band": "teen"}),
        (("analytics",), {"age_band": "child"}),
        (("analytics",), {"age_band": "unknown"}),
        ((), {}),
    ],
)
def test_no_scan_waits_of_a_phone_that_did_not_allow_it(
    living: Living, purposes: tuple[str, ...], record: dict[str, Any]
) -> None:
    come(living, "d-1", *purposes, **record)
    assert len(living.running.waiting) == 0
    pay(living, "d-1")
    assert samples(living) == []


def test_a_withdrawal_drops_what_waits_though_it_is_given_again(living: Living) -> None:
    come(living, "d-1", "analytics")
    assert len(living.running.waiting) == 8
    with living.client(Role.DEVICE) as phone:
        phone.put("/v1/devices/d-1", json=consents())
        assert len(living.running.waiting) == 0
        phone.put("/v1/devices/d-1", json=consents("analytics"))
    pay(living, "d-1")
    assert samples(living) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"at": (NOON - REACH - SECOND).isoformat()},
        {"identities": [{"kind": "loyalty", "value": "d-1"}]},
        {"identities": []},
    ],
)
def test_a_payment_that_says_nothing_of_the_scan_teaches_nothing(living: Living, changes: dict[str, Any]) -> None:
    come(living, "d-1", "analytics")
    pay(living, "d-1", **changes)
    assert samples(living) == []


def test_what_happens_in_a_sensitive_store_teaches_nothing(living: Living) -> None:
    come(living, "d-1", "analytics")
    store = living.venue.stores[0].id
    living.home.venues.sensitive_path(DEFAULT_TENANT, VENUE_ID).write_text(f"{store}\n")
    pay(living, "d-1")
    assert samples(living) == []


def test_scans_that_wait_are_in_no_record(living: Living) -> None:
    come(living, "d-1", "analytics", "visits")
    with living.home.database.read() as connection:
        cells = "\n".join(
            repr(row) for table in metadata.sorted_tables for row in connection.execute(sa.select(table)).all()
        )
    files = b"".join(path.read_bytes() for path in living.home.settings.data_dir.glob("atrium.db*")).decode("latin-1")
    (scan, *_) = stay(living.world, living.venue.stores[0].id, "d-1")
    assert scan["wifi"]
    assert not any(reading["bssid"] in text for reading in scan["wifi"] for text in (cells, files))


def test_samples_are_told_day_by_day_when_the_day_is_over_and_kept_ninety(living: Living) -> None:
    come(living, "d-1", "analytics")
    pay(living, "d-1")
    day = date(2026, 4, 18)
    assert StoredPlaces(living.home.database, DEFAULT_TENANT, lambda: day).confirmed(VENUE_ID) == []
    after = StoredPlaces(living.home.database, DEFAULT_TENANT, lambda: day + timedelta(days=1))
    (confirmed,) = after.confirmed(VENUE_ID)
    assert (confirmed.store_id, confirmed.scan.at) == (living.venue.stores[0].id, datetime(2026, 4, 18, 12, tzinfo=UTC))
    assert (confirmed.scan.device_id, confirmed.scan.scan_id) == ("test", None)
    assert len(confirmed.scan.readings) == len(samples(living)[0].readings)
    assert after.confirmed(VenueId("other")) == []
    last = datetime(2026, 4, 18, tzinfo=UTC) + KEPT_SAMPLES
    for now, n in ((last, 1), (last + timedelta(days=1), 0)):
        with living.home.database.write() as connection:
            drop_old_samples(connection, now, 10)
        assert len(samples(living)) == n
