"""The client's calls for events out, against a real server: the same from both clients."""

import asyncio
from typing import Any

import pytest

from api.ports import Role
from atrium_client import AsyncClient, AuthError, Client, InvalidInput, NotFound, Payment
from atrium_client.retry import RetryPolicy
from kernel.clock import to_epoch_us
from runtime.records.schema import visits
from tests.event_rows import record
from tests.living_server import NOON, Living
from tests.webhook_receiver import receiving

AT_ONCE = RetryPolicy(retries=1, first_s=0.0)


async def first(stream: Any, n: int) -> list[Any]:
    """The first items of either kind of stream."""
    if hasattr(stream, "__anext__"):
        return [await anext(stream) for _ in range(n)]
    return [next(stream) for _ in range(n)]


async def value(made: Any) -> Any:
    """What either kind of call gives."""
    return await made if hasattr(made, "__await__") else made


async def every(pages: Any) -> list[Any]:
    return [item async for item in pages] if hasattr(pages, "__anext__") else list(pages)


def visit_row(visit_id: str, left_us: int | None) -> dict[str, Any]:
    """A visit as the records hold it."""
    ids = {"id": visit_id, "tenant_id": "default", "device_ref": "dev_1", "person": "per_1"}
    place = {"venue_id": "demo", "kind": "store", "place_id": "st_1"}
    when = {"arrived_us": to_epoch_us(NOON), "last_inside_us": to_epoch_us(NOON), "left_us": left_us}
    return ids | place | when | {"counted": True, "fix_count": 3, "confidence": 0.9, "revision": 0}


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_both_clients_ask_for_open_visits_events_and_webhooks(living: Living, kind: type) -> None:
    with living.home.database.write() as connection:
        connection.execute(visits.insert(), [visit_row("vis_1", to_epoch_us(NOON)), visit_row("vis_2", None)])

    async def play(url: str) -> None:
        client = kind(living.url, living.keys[Role.ADMIN], policy=AT_ONCE)
        asked = [await every(client.visits(is_open=is_open)) for is_open in (True, False, None)]
        assert [[visit["id"] for visit in found] for found in asked] == [["vis_2"], ["vis_1"], ["vis_1", "vis_2"]]
        ids = record(living.home.database, 0, 4)
        events = await every(client.events(types=["visit.exited"]))
        assert [event["id"] for event in events] == ids[1::2]
        told = await first(client.stream_events(types=["visit.exited"], begin="start"), 1)
        assert told[0].event == events[0]
        (rest,) = await first(client.stream_events(types=["visit.exited"], cursor=told[0].cursor), 1)
        assert rest.event == events[1]
        made = await value(client.create_webhook(url, types=["visit.entered"]))
        assert made["secret"].startswith("whsec_")
        assert (await value(client.webhook(made["id"])))["status"] == "active"
        assert [held["id"] for held in await every(client.webhooks())] == [made["id"]]
        assert (await value(client.test_webhook(made["id"])))["delivered"]
        assert (await value(client.enable_webhook(made["id"])))["types"] == ["visit.entered"]
        await value(client.delete_webhook(made["id"]))
        with pytest.raises(NotFound):
            await value(client.webhook(made["id"]))
        with pytest.raises(InvalidInput):
            await value(client.create_webhook("https://10.0.0.1/"))
        await value(client.close())

    with receiving() as receiver:
        asyncio.run(play(receiver.url))
    assert [event["type"] for event in receiver.accepted()] == ["webhook.test"]


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_stream_that_is_refused_raises(living_module: Living, kind: type) -> None:
    async def play() -> None:
        client = kind(living_module.url, living_module.keys[Role.DEVICE], policy=AT_ONCE)
        with pytest.raises(AuthError):
            await first(client.stream_events(), 1)
        admin = kind(living_module.url, living_module.keys[Role.ADMIN], policy=AT_ONCE)
        with pytest.raises(InvalidInput):
            await first(admin.stream_events(cursor="nonsense"), 1)
        await value(client.close())
        await value(admin.close())

    asyncio.run(play())


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_both_clients_tell_and_list_payments(living: Living, kind: type) -> None:
    told: list[Payment] = [
        {
            "source": "till-7",
            "receipt_id": f"r-{number}",
            "store_id": living.venue.stores[0].id,
            "at": NOON.isoformat(),
            "amount": amount,
            "currency": "CNY",
        }
        for number, amount in enumerate((500, -5, 700))
    ]
    told.append(
        {"source": "till-7", "receipt_id": "b", "kind": "refund", "of_receipt_id": "r-0", "at": NOON.isoformat()}
    )
    told[-1] |= {"amount": 100, "currency": "CNY"}

    async def play() -> None:
        till = kind(living.url, living.keys[Role.CASHIER], policy=AT_ONCE)
        reader = kind(living.url, living.keys[Role.VIEWER], policy=AT_ONCE)
        first, bad, *others = await value(till.record_payments(told))
        assert bad["error"]["code"] == "invalid_amount"
        rows = {row["id"]: row for row in await every(reader.payments())}
        assert set(rows) == {one["id"] for one in (first, *others)}
        assert rows[first["id"]]["refunded"] == 100
        assert await value(till.record_payments(told[:1], batch=1)) == [first]
        await value(till.close())
        await value(reader.close())

    asyncio.run(play())
