"""Erased is gone: out of every table, out of the bytes of the files, out of memory; others stay as they are."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from api.ports import Role
from kernel.ids import DeviceId, DeviceRef
from members.device import device_ref, person_ref
from members.identity import IdentityKind, identity_of
from members.points.accounts import AccountKey, AccountKind
from runtime.records.erasure import TABLES
from runtime.records.ledger import account_id
from runtime.records.ledger_proof import prove_ledger
from runtime.records.schema import coupons, deliveries, metadata, point_accounts
from runtime.records.tenants import DEFAULT_TENANT, make_key
from tests.living_server import NOON, OTHER_TENANT, Living, campaign, consents, stay


def test_every_table_with_somebody_in_it_is_in_the_list() -> None:
    known = {held.table.name for held in TABLES}
    for table in metadata.sorted_tables:
        about = {"person", "device_ref", "identity", "person_before", "ref", "a", "owner"} & set(table.c.keys())
        assert not about or table.name in known, f"{table.name} says something of somebody and is not in TABLES"


def fill(living: Living, phones: dict[str, list[tuple[str, str]]]) -> None:
    """Each of these phones stays in a store twice, gets a coupon, and is known by ids."""
    store = living.venue.stores[0].id
    with living.client(Role.ADMIN) as http:
        made = http.post("/v1/campaigns", json=campaign(store) | {"per_person": 5}).json()["id"]
        http.post(f"/v1/campaigns/{made}:publish")
        for phone, ids in phones.items():
            http.put(f"/v1/devices/{phone}", json=consents("visits", "analytics", "marketing"))
            for start in (NOON, NOON + timedelta(minutes=40)):
                scans = stay(living.world, store, phone, n=6, start=start, prefix=f"{phone}{start:%M}")
                http.post("/v1/scans", json={"scans": scans}).raise_for_status()
            told = {
                "identities": [{"kind": kind, "value": value} for kind, value in [("maker", phone), *ids]],
                "strength": "verified",
                "source": "app",
                "at": NOON.isoformat(),
            }
            person = http.post("/v1/identities", json=told).raise_for_status().json()["person_ref"]
            earning = {"kind": "earn", "person": person, "points": 100, "reason": "welcome"}
            http.post("/v1/points/transfers", json=earning).raise_for_status()
            held = {"kind": "redeem", "person": person, "points": 30, "bill": {"amount": 900, "currency": "CNY"}}
            if phone.startswith("mine"):
                http.post("/v1/points/transfers", json=held | {"pending": True}).raise_for_status()
            paid = {
                "source": "till-1",
                "receipt_id": phone,
                "store_id": store,
                "at": NOON.isoformat(),
                "amount": 900,
                "currency": "CNY",
                "identities": told["identities"],
            }
            http.post("/v1/payments", json=paid).raise_for_status()
            found = {"kind": "maker", "value": phone, "purpose": "visits"}
            http.post("/v1/people:find", json=found).raise_for_status()


def names_of(living: Living, phone: str, ids: list[tuple[str, str]]) -> list[str]:
    """All that the server may call somebody: the pseudonyms of phone and person, and each id's."""
    key = living.home.keys.people
    return [
        device_ref(DEFAULT_TENANT, DeviceId(phone), key),
        person_ref(DEFAULT_TENANT, DeviceId(phone), key),
        *(identity_of(DEFAULT_TENANT, IdentityKind(kind), value, key, None).ref for kind, value in ids),
    ]


def dump(living: Living) -> dict[str, list[Any]]:
    with living.home.database.read() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(sa.select(table)).all()))
            for table in metadata.sorted_tables
        }


def file_bytes(living: Living) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(living.home.settings.data_dir.glob("atrium.db*")))


MINE = {"mine": [("app", "mall:me"), ("phone", "+7 916 123-45-67"), ("loyalty", "mall:42")]}
ALSO_MINE = {"mine-too": [("app", "mall:me")]}
OTHERS = {"other": [("app", "mall:other"), ("loyalty", "mall:43")]}


def test_of_who_is_erased_nothing_is_found_in_tables_or_bytes_and_others_stay(living: Living) -> None:
    fill(living, MINE | ALSO_MINE | OTHERS)
    mine = [name for phone, ids in (MINE | ALSO_MINE).items() for name in names_of(living, phone, ids)]
    accounts = [account_id(DEFAULT_TENANT, AccountKey(AccountKind.PERSON, name)) for name in mine]
    theirs = names_of(living, "other", OTHERS["other"])
    visits = [row for row in dump(living)["visits"] if any(name in row for name in mine)]
    visit_ids = {row.split("'")[1] for row in visits}
    before, raw = dump(living), file_bytes(living)
    assert all(name.encode() in raw for name in mine)
    with living.client(Role.DEVICE) as me:
        receipt = me.delete("/v1/me", params={"device_id": "mine-too"})  # any of their phones
        assert receipt.status_code == 200, receipt.text
        told = receipt.json()
        assert told["erased"]["visits"] >= 4
        assert told["erased"]["identities"] == 5
        assert told["kept"]["coupons"] >= 2
        assert told["kept"]["payments"] == 2
        assert told["kept"]["point_accounts"] >= 1
        assert me.delete("/v1/me", params={"device_id": "mine"}).status_code == 404
        assert me.get("/v1/me/export", params={"device_id": "mine"}).status_code == 404
        assert me.get("/v1/me/accesses", params={"device_id": "mine"}).json()["data"] == []
    after, raw = dump(living), file_bytes(living)
    cells = "\n".join(row for rows in after.values() for row in rows)
    for name in [*mine, *visit_ids, *accounts]:
        assert name not in cells, name
        assert name.encode() not in raw, name
    for table, rows in before.items():
        of_others = [row for row in rows if any(name in row for name in theirs)]
        assert set(of_others) <= set(after[table]), table
    assert theirs[0].encode() in raw
    held = [account_id(DEFAULT_TENANT, AccountKey(AccountKind.PERSON, name)) for name in theirs]
    assert any(account.encode() in raw for account in held)
    with living.home.database.read() as connection:
        proof = prove_ledger(connection)
        assert not proof.differences
        owned = connection.execute(sa.select(point_accounts).where(point_accounts.c.kind == "person")).all()
        assert sorted({row.balance for row in owned}) == [0, 100]  # settled, and the other's


def test_what_was_given_stays_counted_and_leads_to_nobody(living: Living) -> None:
    fill(living, MINE)
    with living.home.database.read() as connection:
        code = connection.execute(sa.select(coupons.c.code)).scalars().first()
    with living.client(Role.DEVICE) as me:
        me.delete("/v1/me", params={"device_id": "mine"}).raise_for_status()
    with living.home.database.read() as connection:
        kept = connection.execute(sa.select(coupons)).all()
        given = connection.execute(sa.select(deliveries)).all()
    names = [row.person for row in (*kept, *given)]
    assert len(set(names)) == len(names)  # one cannot be followed to another
    assert all(us % 86_400_000_000 == 0 for row in kept for us in (row.issued_us, row.expires_us))
    assert all(row.explanation.startswith("erased") and row.visit_id.startswith("erased") for row in given)
    with living.client(Role.CASHIER) as till:
        body = {"code": code, "store_id": living.venue.stores[0].id}
        assert till.post("/v1/redemptions", json=body).status_code in {201, 410}  # a coupon in hand is still good


def test_a_phone_that_was_erased_and_scans_on_leaves_no_trace(living: Living) -> None:
    fill(living, MINE)
    with living.client(Role.DEVICE) as me:
        me.delete("/v1/me", params={"device_id": "mine"}).raise_for_status()
        late = NOON + timedelta(minutes=42)
        scans = stay(living.world, living.venue.stores[0].id, "mine", n=6, start=late, prefix="late")
        for answer in me.post("/v1/scans", json={"scans": scans}).json()["results"]:
            assert answer["position"] is not None
            assert (answer["scene"], answer["cards"]) == (None, [])
    living.running.engine.sweep()
    cells = "\n".join(row for rows in dump(living).values() for row in rows)
    for name in names_of(living, "mine", MINE["mine"]):
        assert name not in cells


def test_an_export_holds_a_row_of_all_that_is_known(living: Living) -> None:
    fill(living, MINE | OTHERS)
    with living.client(Role.DEVICE) as me:
        answer = me.get("/v1/me/export", params={"device_id": "mine"})
        looked = me.get("/v1/me/accesses", params={"device_id": "mine"}).json()["data"]
    assert answer.status_code == 200
    data = answer.json()["data"]
    filled = {"answers", "visits", "events", "deliveries", "coupons", "identities", "identity_links", "consents"}
    assert all(data[table] for table in filled | {"devices", "accesses", "scenes", "fixes"}), data.keys()
    assert {row["kind"] for row in data["identities"]} == {"maker", "app", "phone", "loyalty"}
    assert not any(name in answer.text for name in names_of(living, "other", OTHERS["other"]))
    assert looked[0]["purpose"] == "export"


def test_another_tenants_key_erases_and_exports_nothing(living: Living) -> None:
    fill(living, MINE)
    with living.home.database.write() as connection:
        key = make_key(connection, OTHER_TENANT, Role.DEVICE, "test", NOON).text
    with living.client(key=key) as other:
        assert other.delete("/v1/me", params={"device_id": "mine"}).status_code == 404
        assert other.get("/v1/me/export", params={"device_id": "mine"}).status_code == 404
    assert any(row for row in dump(living)["visits"])


@pytest.mark.parametrize("how", ["withdrawn", "child", "unknown"])
def test_from_the_next_batch_on_no_row_is_written_of_who_withdrew_or_is_a_child(living: Living, how: str) -> None:
    fill(living, MINE | OTHERS)
    with living.client(Role.ADMIN) as http:
        record = consents("analytics") if how == "withdrawn" else consents("visits", "analytics", "marketing")
        if how != "withdrawn":
            record["age_band"] = how
        http.put("/v1/devices/mine", json=record).raise_for_status()
        first = stay(living.world, living.venue.stores[0].id, "mine", n=1, start=NOON + timedelta(hours=2), prefix="w")
        http.post("/v1/scans", json={"scans": first}).raise_for_status()
    living.running.engine.sweep()
    mine = names_of(living, "mine", [])
    before = {table: [row for row in rows if any(n in row for n in mine)] for table, rows in dump(living).items()}
    with living.client(Role.ADMIN) as http:
        later = NOON + timedelta(hours=2, minutes=1)
        scans = stay(living.world, living.venue.stores[0].id, "mine", n=9, start=later, prefix="v")
        for answer in http.post("/v1/scans", json={"scans": scans}).json()["results"]:
            assert (answer["scene"], answer["cards"]) == (None, [])
        stay_other = stay(living.world, living.venue.stores[0].id, "other", n=9, start=later, prefix="o")
        http.post("/v1/scans", json={"scans": stay_other}).raise_for_status()
    living.running.engine.sweep()
    after = {table: [row for row in rows if any(n in row for n in mine)] for table, rows in dump(living).items()}
    assert {table: rows for table, rows in after.items() if set(rows) - set(before[table])} == {}
    for table in ("scenes", "tracks", "fixes", "answers", "tag_records", "tag_learnt", "person_tags", "rhythm_states"):
        assert after[table] == [], table


def test_a_reader_holds_up_no_erasure_and_the_bytes_go_when_it_ends(living: Living) -> None:
    fill(living, MINE)
    mine = names_of(living, "mine", MINE["mine"])
    with living.home.database.read() as reading:
        reading.execute(sa.select(coupons)).all()
        with living.client(Role.DEVICE) as me:
            me.delete("/v1/me", params={"device_id": "mine"}).raise_for_status()
        assert not living.running.settling.is_log_empty()
    living.running.settling.step()
    assert living.running.settling.is_log_empty()
    assert not any(name.encode() in file_bytes(living) for name in mine)


def test_a_server_that_is_stopping_erases_nothing_and_says_so(living: Living) -> None:
    fill(living, MINE)
    living.running.engine.stop()
    with living.client(Role.DEVICE) as me:
        refused = me.delete("/v1/me", params={"device_id": "mine"})
    assert (refused.status_code, refused.json()["code"]) == (503, "part_failed")


def test_a_phone_that_joins_while_an_erasure_waits_is_erased_with_it(living: Living) -> None:
    fill(living, MINE)
    engine, tenant = living.running.engine, DEFAULT_TENANT
    held, goes_on = threading.Event(), threading.Event()

    def wait() -> list[DeviceRef]:
        held.set()
        goes_on.wait(30)
        return []

    waiting = threading.Thread(target=engine.forget, args=(tenant, wait))
    waiting.start()
    held.wait(30)
    with living.client(Role.DEVICE) as me, living.client(Role.ADMIN) as http:
        erasing = threading.Thread(target=me.delete, args=("/v1/me",), kwargs={"params": {"device_id": "mine"}})
        erasing.start()
        http.put("/v1/devices/late", json=consents("visits")).raise_for_status()
        told = {
            "identities": [{"kind": "maker", "value": "late"}, {"kind": "app", "value": "mall:me"}],
            "strength": "verified",
            "source": "app",
            "at": NOON.isoformat(),
        }
        http.post("/v1/identities", json=told).raise_for_status()
        goes_on.set()
        waiting.join()
        erasing.join()
        scans = stay(living.world, living.venue.stores[0].id, "late", n=6, start=NOON + timedelta(hours=1))
        for answer in http.post("/v1/scans", json={"scans": scans}).json()["results"]:
            assert answer["scene"] is None
    cells = "\n".join(row for rows in dump(living).values() for row in rows)
    assert not any(name in cells for name in names_of(living, "late", []))
