"""A stream of events: how its lines are read, and how it is taken up where it broke off.

Written once for both clients, which only bring the lines: ``StreamCourse`` says what to ask, takes in each line, and
says how long to wait before the next attempt.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from atrium_client.errors import AtriumError, ServerError
from atrium_client.retry import Outcome, Patience, RetryPolicy, is_worth_repeating, retry_after_s
from atrium_client.wire import Json

MEDIA_TYPE = "text/event-stream"
SILENCE_S = 60.0
"""The server speaks every 15 s; a line that is silent for longer is dead."""


@dataclass(frozen=True, slots=True)
class StreamedEvent:
    """An event (a CloudEvents envelope) and the cursor with which a later stream goes on after it."""

    cursor: str
    event: Json


class StreamCourse:
    """One stream over as many connections as it takes; yields no event twice and leaves none out."""

    def __init__(
        self,
        types: Sequence[str],
        cursor: str | None,
        begin: Literal["start", "now"],
        policy: RetryPolicy,
    ) -> None:
        self.cursor = cursor
        self._types, self._begin = list(types), begin
        self._patience, self._has_heard = Patience(policy), False
        self._id: str | None = None
        self._data: list[str] = []

    def request(self, client: httpx.Client | httpx.AsyncClient, time_out_s: float) -> httpx.Request:
        """The request of the next connection."""
        self._begin_message()
        headers = {"Accept": MEDIA_TYPE} | ({} if self.cursor is None else {"Last-Event-ID": self.cursor})
        params = {"type": self._types, "from": self._begin}
        timeout = httpx.Timeout(time_out_s, read=SILENCE_S)
        return client.build_request("GET", "/v1/events", params=params, headers=headers, timeout=timeout)

    def take(self, line: str) -> StreamedEvent | None:
        """Take in a line; the event that it completes.

        Raises:
            AtriumError: the server does not speak as it should.
        """
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "id":
                self._id = value
            elif name == "data":
                self._data.append(value)
            return None
        self._has_heard = True
        data, cursor = "\n".join(self._data), self._id
        self._begin_message()
        if cursor is not None:
            self.cursor = cursor
        if not data or cursor is None:
            return None
        try:
            event: Any = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ServerError(200, "unreadable_answer", f"an event is no JSON: {error}") from error
        return StreamedEvent(cursor, event)

    def is_stream(self, response: httpx.Response) -> bool:
        """Whether an answer is a stream; else it is to be read whole, as an error."""
        media = response.headers.get("Content-Type", "").partition(";")[0].strip()
        return response.status_code == 200 and media == MEDIA_TYPE

    def wait_s(self, outcome: Outcome | None, error: AtriumError) -> float:
        """Seconds to wait before the next connection, after one that failed or (None) ended.

        Raises:
            AtriumError: ``error``, where another attempt would not help or patience is at its end.
        """
        if self._has_heard:
            self._patience.begin_anew()
            self._has_heard = False
        if outcome is None or is_worth_repeating(outcome, is_idempotent=True):
            asked_s = None if outcome is None else retry_after_s(outcome)
            wait_s = self._patience.wait_s(asked_s)
            if wait_s is not None:
                return wait_s
        raise error

    def _begin_message(self) -> None:
        self._id, self._data = None, []
