"""The look-up of webhooks' names, in threads that nothing else waits for.

The system's look-up cannot be broken off: whoever waits for it can give up, its thread hangs on. So each has a thread
of its own, apart from the loop's, which read and write the database; a tenant has so many at a time, one for a name.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

from kernel.ids import TenantId
from runtime.errors import WebhookUrlError
from runtime.webhooks.rules import MOST_WEBHOOKS

LookUp = Callable[[str, int], Sequence[str]]
"""The addresses of a host name, waited for; an ``OSError`` where it has none."""

MOST_LOOK_UPS: Final = MOST_WEBHOOKS + 4
"""A tenant's at a time: each webhook's, and some that are being made."""


def look_up_by_system(host: str, port: int) -> Sequence[str]:
    """The system's answer, which also reads numbers such as ``2130706433`` as addresses."""
    return [str(address[0]) for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Names:
    """Looks names up; from any event loop."""

    def __init__(self, look_up: LookUp = look_up_by_system) -> None:
        self._look_up = look_up
        self._guard = threading.Lock()
        self._under_way: dict[TenantId, dict[tuple[str, int], Future[Sequence[str]]]] = {}

    async def resolve(self, tenant: TenantId, host: str, port: int) -> Sequence[str]:
        """The addresses of a name. Who asks for one that the tenant is waiting for already waits for the same answer.

        Raises:
            OSError: it has none.
            WebhookUrlError: too many of the tenant's look-ups have not ended.
        """
        return await asyncio.wrap_future(self._begin(tenant, (host, port)))

    def _begin(self, tenant: TenantId, name: tuple[str, int]) -> Future[Sequence[str]]:
        with self._guard:
            mine = self._under_way.get(tenant, {})
            if name in mine:
                return mine[name]
            if len(mine) >= MOST_LOOK_UPS:
                raise WebhookUrlError("too many host names are being looked up")
            answer: Future[Sequence[str]] = Future()
            answer.set_running_or_notify_cancel()  # one who gives up must not cancel it for the others
            thread = threading.Thread(target=self._run, args=(tenant, name, answer), name="atrium-names", daemon=True)
            thread.start()
            self._under_way.setdefault(tenant, {})[name] = answer
            return answer

    def _run(self, tenant: TenantId, name: tuple[str, int], answer: Future[Sequence[str]]) -> None:
        found: Sequence[str] = ()
        error: Exception | None = None
        try:
            found = self._look_up(*name)
        except Exception as raised:  # noqa: BLE001  # whoever waits is told
            error = raised
        with self._guard:
            del self._under_way[tenant][name]
            if not self._under_way[tenant]:
                del self._under_way[tenant]
        if error is None:
            answer.set_result(found)
        else:
            answer.set_exception(error)
