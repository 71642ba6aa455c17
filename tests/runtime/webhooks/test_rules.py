"""When a webhook is tried again, and the signature that others' vectors have."""

import base64
from datetime import UTC, datetime, timedelta

from api.ports import Attempt, Webhook
from kernel.ids import TenantId
from runtime.webhooks.rules import RetryRules, after_failure, after_success, enabled
from runtime.webhooks.signing import secret_of, signed_headers

AT = datetime(2026, 4, 18, tzinfo=UTC)
HOOK = Webhook("whk_1", TenantId("t"), "https://example.com/", (), AT)
FAILED = Attempt(500, "answered 500")


def top(_low: float, high: float) -> float:
    return high


def test_the_wait_doubles_up_to_its_limit_and_half_of_it_is_drawn() -> None:
    rules = RetryRules()
    waits = [rules.wait(n, None, top).total_seconds() for n in range(1, 14)]
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600]
    assert [rules.wait(n, None, lambda low, _high: low).total_seconds() for n in (1, 13)] == [1, 1800]
    assert rules.wait(1, 60.0, top).total_seconds() == 60
    assert rules.wait(1, 1e9, top) == rules.longest


def test_only_failures_without_a_success_between_disable() -> None:
    rules, held, at = RetryRules(), HOOK, AT
    while held.disabled_at is None:
        held = after_failure(held, FAILED, at, rules, top)
        at = held.next_attempt_at or at
    assert timedelta(hours=72) <= held.disabled_at - AT <= timedelta(hours=73)
    assert (held.next_attempt_at, held.last_error) == (None, "answered 500")
    halfway = after_success(after_failure(HOOK, FAILED, AT, rules, top), AT + timedelta(hours=71))
    again = after_failure(halfway, FAILED, AT + timedelta(hours=73), rules, top)
    assert (again.disabled_at, again.failures) == (None, 1)
    assert enabled(held).failing_since is None


def test_a_receiver_that_says_gone_is_asked_no_more() -> None:
    assert after_failure(HOOK, Attempt(410, "answered 410"), AT, RetryRules(), top).disabled_at == AT


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of the Standard Webhooks libraries."""
    at = datetime.fromtimestamp(1614265330, UTC)
    made = signed_headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}'
    )
    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_each_webhook_and_server_has_a_secret_of_its_own() -> None:
    secrets = {secret_of(webhook, key) for webhook in ("whk_1", "whk_2") for key in (b"a" * 64, b"b" * 64)}
    assert len(secrets) == 4
    assert all(len(base64.b64decode(secret.removeprefix("whsec_"))) == 32 for secret in secrets)
