"""One attempt to deliver one event to a webhook.

The request goes to an address that was checked (``addresses.py``), to the next one where that takes no connection,
under the name that the URL has; no redirect is followed, no proxy asked, and of the answer only the status counts.
"""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

import httpx

from api.ports import Attempt, Webhook
from atrium_client.retry import retry_after_s
from kernel.ids import TenantId
from runtime.errors import WebhookUrlError
from runtime.webhooks.addresses import Resolve, check_url, checked_addresses
from runtime.webhooks.names import Names
from runtime.webhooks.signing import secret_of, signed_headers

ATTEMPT_S: Final = 15.0
"""For all of an attempt; Standard Webhooks advises 15 to 30 s."""
_MOST_ANSWER_BYTES: Final = 16 * 1024
"""A longer answer is not read on; its connection is closed."""
_MOST_ADDRESSES: Final = 4
"""Tried in one attempt; each gets its share of the time to connect."""
_CONTENT_TYPE: Final = "application/cloudevents+json"


class Line(httpx.AsyncClient):
    """A client for one webhook alone: a connection made to one name must not be used for another."""

    last_address: str | None = None
    """What answered last, which is tried first."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Makes attempts.

    Args:
        server_key: makes the secrets.
        allows_local: a development server may post to its own machine, over http too.
        tls: whose certificates are believed.
    """

    server_key: bytes
    allows_local: bool
    agent: str
    names: Names = field(default_factory=Names)
    attempt_s: float = ATTEMPT_S
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def client(self) -> Line:
        """What one webhook's attempts go over."""
        return Line(verify=self.tls, trust_env=False, follow_redirects=False, timeout=self.attempt_s)

    async def check(self, tenant: TenantId, text: str) -> None:
        """Refuse an address that nothing would be sent to.

        Raises:
            WebhookUrlError: it is one.
        """
        url = check_url(text, allows_local=self.allows_local)
        try:
            async with asyncio.timeout(self.attempt_s):
                await checked_addresses(url, self._resolve(tenant), allows_local=self.allows_local)
        except TimeoutError:
            raise WebhookUrlError("the host name was not found in time") from None

    async def send(self, client: Line, webhook: Webhook, message_id: str, body: bytes, at: datetime) -> Attempt:
        """Post a body, signed; says what came of it and raises nothing for it."""
        try:
            async with asyncio.timeout(self.attempt_s):
                return await self._send(client, webhook, message_id, body, at)
        except TimeoutError:
            return Attempt(None, f"no answer within {self.attempt_s:g} s")
        except WebhookUrlError as refused:
            return Attempt(None, str(refused))
        except ssl.SSLError:
            return Attempt(None, "the TLS handshake failed")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            is_certificate = "CERTIFICATE_VERIFY_FAILED" in str(error)
            return Attempt(None, "the certificate is not valid" if is_certificate else _KINDS.get(type(error), _BROKEN))

    async def _send(self, client: Line, webhook: Webhook, message_id: str, body: bytes, at: datetime) -> Attempt:
        url = check_url(webhook.url, allows_local=self.allows_local)
        found = await checked_addresses(url, self._resolve(webhook.tenant), allows_local=self.allows_local)
        addresses = sorted(found, key=lambda address: address != client.last_address)[:_MOST_ADDRESSES]
        headers = signed_headers(secret_of(webhook.id, self.server_key), message_id, at, body) | {
            "Host": url.netloc.decode("ascii"),
            "Content-Type": _CONTENT_TYPE,
            "User-Agent": self.agent,
            "Accept-Encoding": "identity",
        }
        short = httpx.Timeout(self.attempt_s, connect=self.attempt_s / (len(addresses) + 1))
        for address in addresses[:-1]:
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):  # nothing was sent yet
                return await _post(client, url, address, body, headers, short)
        return await _post(client, url, addresses[-1], body, headers, httpx.Timeout(self.attempt_s))

    def _resolve(self, tenant: TenantId) -> Resolve:
        return partial(self.names.resolve, tenant)


async def _post(
    client: Line, url: httpx.URL, address: str, body: bytes, headers: dict[str, str], timeout: httpx.Timeout
) -> Attempt:
    name = {"sni_hostname": url.raw_host.decode("ascii")}  # the certificate is checked against the name
    target = url.copy_with(host=address)
    async with client.stream("POST", target, content=body, headers=headers, extensions=name, timeout=timeout) as answer:
        client.last_address = address
        await _drain(answer)
    if answer.is_success:
        return Attempt(answer.status_code, None)
    word = "; redirects are not followed" if answer.is_redirect else ""
    return Attempt(answer.status_code, f"answered {answer.status_code}{word}", retry_after_s(answer))


async def _drain(answer: httpx.Response) -> None:
    """Read a short answer to its end, so that its connection can be used again."""
    n_bytes = 0
    async for chunk in answer.aiter_raw():
        n_bytes += len(chunk)
        if n_bytes > _MOST_ANSWER_BYTES:
            return


_BROKEN: Final = "the connection broke"
_KINDS: Final[dict[type[Exception], str]] = {
    httpx.ConnectError: "no connection",
    httpx.ConnectTimeout: "no connection in time",
    httpx.ReadTimeout: "no answer in time",
}
