"""The HTTP server: a bound socket, uvicorn on it, and an orderly end."""

import logging
import socket
from collections.abc import Callable

import uvicorn

from runtime.errors import SettingsError
from runtime.wiring import Running

BACKLOG = 2_048
"""A backlog of 5 was seen to reset connections at 20 calls at once."""
_UNTAKEN_S = 60
"""After this, what the other side has not taken is given up and its connection closed by the system (where that is
Linux): a reader of events that was cut off must not keep a socket for ever."""
_GRACE_S = 1
"""How long calls under way may take to end. A batch of 1,000 scans is answered in a fraction of it; a caller cut off
got no answer, and its repeat gets what was stored."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, or a clear word why not.

    Raises:
        SettingsError: the port is taken or not ours to bind.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # accepted connections have it from the listener
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNTAKEN_S * 1_000)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        raise SettingsError(f"cannot listen on {host} port {port}: {getattr(error, 'strerror', error)}") from error
    return listener


class _Server(uvicorn.Server):
    """Tells that the end has come before it waits for calls under way, so that endless ones can end."""

    def __init__(self, config: uvicorn.Config, on_stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stopping = on_stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stopping()
        await super().shutdown(sockets)


def make_server(running: Running, on_stopping: Callable[[], None] | None = None) -> uvicorn.Server:
    """An HTTP server for an application, not yet running.

    The access log is off whatever the log level: a geolocate URL carries its key. So is the log of what the
    server calls itself: a webhook's URL may carry its receiver's.

    Args:
        on_stopping: called once at the end, before calls under way are waited for; must not block.
    """

    def stopping() -> None:
        running.let_go()
        if on_stopping is not None:
            on_stopping()

    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("httpx", "httpcore"):  # they tell each request's URL
        logging.getLogger(name).setLevel(logging.WARNING)
    return _Server(
        uvicorn.Config(
            running.app,
            access_log=False,
            log_config=None,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
            h11_max_incomplete_event_size=64 * 1024,
        ),
        stopping,
    )


def run(
    running: Running,
    listener: socket.socket,
    on_started: Callable[[], None] | None = None,
    on_stopping: Callable[[], None] | None = None,
) -> None:
    """Serve until a signal ends it; then answer what waits and close."""
    server = make_server(running, on_stopping)
    if on_started is not None:
        on_started()
    try:
        server.run(sockets=[listener])
    finally:
        listener.close()
        running.stop()
