"""Where webhooks may go: the public internet over https, and nowhere that only this server can reach.

The name is looked up at each attempt and the connection goes to the address that was checked, so a name that answers
differently the second time (DNS rebinding) gains nothing.
"""

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import httpx

from runtime.errors import WebhookUrlError

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host name; an ``OSError`` where it has none."""

MAX_URL_CHARS: Final = 2_000
_PLATFORM: Final = frozenset({ipaddress.ip_address("168.63.129.16")})
"""Azure's platform address, a public one that every virtual machine there reaches; other clouds' are link-local."""
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_url(text: str, *, allows_local: bool) -> httpx.URL:
    """The URL of a webhook, parsed.

    Raises:
        WebhookUrlError: not https (or http, where local ones are allowed), without host, or with a password in it.
    """
    schemes = {"https", "http"} if allows_local else {"https"}
    if len(text) > MAX_URL_CHARS:
        raise WebhookUrlError(f"expected at most {MAX_URL_CHARS} characters")
    try:
        url = httpx.URL(text)
        host = url.host  # decoded only here, which fails for what is no name, such as xn--
    except (httpx.InvalidURL, ValueError):
        raise WebhookUrlError("expected a URL such as https://example.com/hook") from None
    if url.scheme not in schemes or not host:
        raise WebhookUrlError(f"expected {' or '.join(sorted(schemes, reverse=True))} and a host")
    if url.port is not None and not 1 <= url.port <= 65_535:
        raise WebhookUrlError("expected a port from 1 to 65535")
    if url.userinfo:
        raise WebhookUrlError("a user or password in the URL is not sent; the signature says who calls")
    return url


async def checked_addresses(url: httpx.URL, resolve: Resolve, *, allows_local: bool) -> Sequence[str]:
    """The addresses to connect to, the system's first choice first.

    Raises:
        WebhookUrlError: the name has no address, or one that nothing is sent to.
    """
    try:
        found = await resolve(url.raw_host.decode("ascii"), url.port or (443 if url.scheme == "https" else 80))
    except (OSError, UnicodeError):
        raise WebhookUrlError("the host name has no address") from None
    if not found:
        raise WebhookUrlError("the host name has no address")
    for text in found:  # one forbidden address among good ones is a trap, not a choice
        if not is_allowed(text, allows_local=allows_local):
            raise WebhookUrlError("the host has an address that is not of the public internet")
    if url.scheme == "http" and not all(_bare(text).is_loopback for text in found):
        raise WebhookUrlError("expected https: http goes to this machine alone")
    return list(dict.fromkeys(found))


def is_allowed(text: str, *, allows_local: bool) -> bool:
    """Whether an address is of the public internet, or (where allowed) of this machine itself.

    >>> [is_allowed(text, allows_local=False) for text in ("93.184.215.14", "127.0.0.1", "::ffff:10.0.0.1")]
    [True, False, False]
    """
    try:
        address = _bare(text)
    except ValueError:
        return False
    if address.is_loopback:
        return allows_local
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_link_local
        and address not in _PLATFORM
        and not (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)
    )


def _bare(text: str) -> _Address:
    """An address without the wrappings in which IPv6 carries an IPv4 one."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour or _compatible(address) or address


def _compatible(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address of the long-forgotten form ``::10.0.0.1``; ``::`` and ``::1`` are not of it."""
    return ipaddress.IPv4Address(int(address)) if 1 < int(address) < 2**32 else None
