"""One tenant's dead names hold up nobody else, and a name with a dead address is not dead."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic

import pytest

from api.ports import Attempt, Webhook
from kernel.ids import TenantId
from runtime.errors import WebhookUrlError
from runtime.webhooks.names import MOST_LOOK_UPS, Names
from runtime.webhooks.sending import Sender
from tests.webhook_receiver import receiving

EVIL, GOOD = TenantId("evil"), TenantId("good")


def test_names_that_hang_hold_up_neither_other_tenants_nor_the_loops_threads() -> None:
    release = threading.Event()
    asked: list[str] = []

    def look_up(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        if host.endswith(".slow.test"):
            release.wait()
        return ["8.8.8.8"]

    async def scene() -> None:
        names = Names(look_up)
        hanging = [asyncio.create_task(names.resolve(EVIL, f"{n}.slow.test", 443)) for n in range(MOST_LOOK_UPS)]
        await asyncio.sleep(0)
        hanging[0].cancel()
        again = asyncio.create_task(names.resolve(EVIL, "0.slow.test", 443))  # waits for the one under way
        try:
            async with asyncio.timeout(5):
                assert await names.resolve(GOOD, "good.test", 443) == ["8.8.8.8"]
                await asyncio.to_thread(lambda: None)
                with pytest.raises(WebhookUrlError):
                    await names.resolve(EVIL, "one-more.slow.test", 443)
        finally:
            release.set()
        await asyncio.gather(*hanging[1:], again)
        assert sorted(asked) == sorted([f"{n}.slow.test" for n in range(MOST_LOOK_UPS)] + ["good.test"])
        assert await names.resolve(EVIL, "free-again.test", 443) == ["8.8.8.8"]

    asyncio.run(scene())


def test_a_server_ends_while_a_name_hangs() -> None:
    release = threading.Event()
    sender = Sender(b"k" * 32, True, "test", Names(lambda _host, _port: [str(release.wait(10))]), attempt_s=0.05)
    began = monotonic()
    with pytest.raises(WebhookUrlError):
        asyncio.run(sender.check(EVIL, "https://0.slow.test/"))
    assert monotonic() - began < 5
    release.set()


def test_the_next_address_is_tried_where_the_first_takes_no_connection() -> None:
    with receiving() as receiver:
        port = receiver.url.rpartition(":")[2]
        names = Names(lambda _host, _port: ["127.0.0.2", "127.0.0.1"])  # the receiver listens on the second
        sender = Sender(b"k" * 32, True, "test", names)
        webhook = Webhook("whk_1", GOOD, f"http://two.test:{port}/", (), datetime.now(UTC))

        async def attempt() -> tuple[Attempt, str | None]:
            async with sender.client() as client:
                made = await sender.send(client, webhook, "evt_1", b"{}", datetime.now(UTC))
                return made, client.last_address

        assert asyncio.run(attempt()) == (Attempt(204, None), "127.0.0.1")
        assert [headers["Host"] for headers, _, _ in receiver.requests] == [f"two.test:{port}"]
