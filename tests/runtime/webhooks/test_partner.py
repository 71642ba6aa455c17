"""A partner that credits each payment: its endpoint fails, hangs and answers twice, and the credit is one."""

import json
import time
from datetime import timedelta
from pathlib import Path

from api.ports import Role
from runtime.webhooks.rules import RetryRules
from runtime.webhooks.sending import ATTEMPT_S
from sim.world import World
from tests.living_server import NOON, copy_home, serve, wait_until
from tests.runtime.webhooks.test_deliveries import make
from tests.webhook_receiver import receiving

RULES = RetryRules(first=timedelta(milliseconds=20), longest=timedelta(milliseconds=40))


def test_a_payment_told_many_times_is_credited_once(prepared_home: Path, small_world: World, tmp_path: Path) -> None:
    def answer(n: int) -> int:
        if n == 1:
            time.sleep(ATTEMPT_S + 1)  # it took the payment, and was not heard
        return 500 if n == 0 else 204

    with (
        receiving() as partner,
        serve(copy_home(prepared_home, tmp_path / "home"), small_world, retry_rules=RULES) as living,
    ):
        partner.status_of = answer
        make(living, partner.url, types=["payment.recorded"])
        paid = {
            "source": "till-1",
            "receipt_id": "4711",
            "store_id": living.venue.stores[0].id,
            "at": NOON.isoformat(),
            "amount": 900,
            "currency": "CNY",
        }
        with living.client(Role.CASHIER) as till:
            first, again = (till.post("/v1/payments", json=paid) for _ in range(2))  # the till was not heard either
            assert first.json()["id"] == again.json()["id"]
        wait_until(lambda: len(partner.requests) >= 3, ATTEMPT_S + 45)
        credited: dict[str, str] = {}
        for headers, body, status in partner.requests:
            if status < 300:
                event = json.loads(body)
                credited.setdefault(headers["webhook-id"], event["data"]["payment_id"])
        assert sum(status < 300 for _, _, status in partner.requests) == 2
        assert list(credited.values()) == [first.json()["id"]]
