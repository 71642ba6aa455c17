"""Nothing is posted to an address that only the server can reach, however it is written."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from api.ports import Webhook
from kernel.ids import TenantId
from runtime.errors import WebhookUrlError
from runtime.webhooks.addresses import check_url, checked_addresses, is_allowed
from runtime.webhooks.names import Names
from runtime.webhooks.sending import Sender


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.9.10", "::1", "0.0.0.0", "::", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1"),
        *("169.254.169.254", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "100.100.100.200", "168.63.129.16"),
        *("224.0.0.1", "ff02::1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "2001:db8::1", "198.18.0.1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
        *("2002:7f00:1::", "2002:a00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe", "fec0::1", "no address"),
    ],
)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_allowed(address, allows_local=False)
    loopback = address in {"127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1"}
    loopback |= address in {"2002:7f00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe"}
    assert is_allowed(address, allows_local=True) is loopback


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_a_public_address_is_allowed(address: str) -> None:
    assert is_allowed(address, allows_local=False)


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0"],
)
def test_a_name_that_the_system_finds_here_is_refused(host: str) -> None:
    with pytest.raises(WebhookUrlError):  # some are no URL, the others are looked up
        url = check_url(f"https://{host}/hook", allows_local=False)
        asyncio.run(checked_addresses(url, partial(Names().resolve, TenantId("t")), allows_local=False))


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/", "ftp://example.com/", "file:///etc/passwd", "https://", "https:///x", "example.com"),
        *("https://user:word@example.com/", "https://example.com:99999/", "https://a\nb/", "https://" + "a" * 2_000),
        *("https://xn--/", "https://xn--a.example.com/", "https://xn--\u00e4.com/"),
    ],
)
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(WebhookUrlError):
        check_url(url, allows_local=False)


def answers(*addresses: str) -> Any:
    """A look-up that gives these."""

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return resolve


def test_one_forbidden_address_among_good_ones_is_refused() -> None:
    url = check_url("https://example.com/", allows_local=False)
    assert asyncio.run(checked_addresses(url, answers("8.8.8.8"), allows_local=False)) == ["8.8.8.8"]
    for found in (("8.8.8.8", "10.0.0.1"), ("10.0.0.1", "8.8.8.8"), ()):
        with pytest.raises(WebhookUrlError):
            asyncio.run(checked_addresses(url, answers(*found), allows_local=False))


def test_http_goes_to_this_machine_alone_even_where_it_is_allowed() -> None:
    url = check_url("http://example.com/", allows_local=True)
    with pytest.raises(WebhookUrlError):
        asyncio.run(checked_addresses(url, answers("8.8.8.8"), allows_local=True))


def test_a_name_is_looked_up_at_each_attempt_and_the_checked_address_is_called() -> None:
    """A name that was public when the webhook was made and is local now: nothing is sent."""
    sender = Sender(b"k" * 32, allows_local=False, agent="test", names=Names(lambda _host, _port: ["127.0.0.1"]))
    webhook = Webhook("whk_1", TenantId("t"), "https://example.com/", (), datetime.now(UTC))

    async def attempt() -> Any:
        async with sender.client() as client:
            return await sender.send(client, webhook, "evt_1", b"{}", datetime.now(UTC))

    outcome = asyncio.run(attempt())
    assert outcome.status is None
    assert "public" in outcome.error
