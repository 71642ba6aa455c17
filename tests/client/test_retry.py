"""The one policy: how long, how often, until when."""

import random
import statistics

import httpx
import pytest

from atrium_client.retry import Patience, RetryPolicy, is_worth_repeating, retry_after_s


def highest(_low: float, high: float) -> float:
    return high


class Clock:
    """Goes forward only when told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_the_limit_of_the_wait_doubles_up_to_its_top() -> None:
    policy = RetryPolicy(first_s=0.5, longest_s=4.0)
    assert [policy.delay_s(n, None, highest) for n in (0, 1, 2, 3, 4, 10_000)] == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


def test_the_wait_is_drawn_from_all_of_the_range() -> None:
    draw = random.Random(1).uniform
    waits = [RetryPolicy(first_s=1.0).delay_s(0, None, draw) for _ in range(4_000)]
    assert min(waits) < 0.01
    assert max(waits) > 0.99
    assert statistics.fmean(waits) == pytest.approx(0.5, abs=0.023)  # 5 standard errors of an even draw's mean


def test_the_servers_wait_is_never_undercut() -> None:
    draw = random.Random(1).uniform
    waits = [RetryPolicy(first_s=0.1, longest_s=0.1).delay_s(0, 8.0, draw) for _ in range(1_000)]
    assert all(8.0 <= wait <= 10.0 for wait in waits)
    assert max(waits) - min(waits) > 1.5


def test_patience_ends_by_number_and_by_time() -> None:
    clock = Clock()
    patience = Patience(RetryPolicy(retries=2, first_s=1.0, deadline_s=100.0), clock, highest)
    assert [patience.wait_s(), patience.wait_s(), patience.wait_s()] == [1.0, 2.0, None]
    patience.begin_anew()
    assert patience.wait_s() == 1.0
    clock.now_s += 99.0
    assert patience.time_out_s(30.0) == pytest.approx(1.0)
    assert patience.wait_s() is None  # 2 s would end a second late
    patience.begin_anew()
    assert patience.wait_s(100.0) is None
    assert patience.time_out_s(30.0) == 30.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("-3", 0.0),
        ("nan", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 -0000", 0.0),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    headers = {} if text is None else {"Retry-After": text}
    assert retry_after_s(httpx.Response(429, headers=headers)) == seconds


def test_only_what_can_help_and_do_no_harm_is_repeated() -> None:
    def worth(outcome: httpx.Response | httpx.RequestError) -> tuple[bool, bool]:
        return is_worth_repeating(outcome, is_idempotent=True), is_worth_repeating(outcome, is_idempotent=False)

    both, safe_only, neither = (True, True), (True, False), (False, False)
    assert {status: worth(httpx.Response(status)) for status in (200, 302, 401, 422, 429, 500, 502, 503, 504)} == {
        200: neither,
        302: neither,
        401: neither,
        422: neither,
        429: both,
        500: neither,
        502: safe_only,
        503: both,
        504: safe_only,
    }
    assert worth(httpx.ConnectError("")) == both
    assert worth(httpx.ReadTimeout("")) == safe_only
    assert worth(httpx.RemoteProtocolError("")) == safe_only
    assert worth(httpx.UnsupportedProtocol("")) == neither
    assert worth(httpx.DecodingError("")) == neither
