"""What phones, tills and a desk ask of the system, whichever way it is reached.

``flow_server.FlowServer`` is the flow in this process, for speed; ``http_server.HttpServer`` is a real server spoken to
through the client. Both take and give what the wire has (``atrium_client.wire``), to the last rounded digit, so that
``day.py`` cannot tell them apart.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from atrium_client.calls import MAX_SCANS_PER_REQUEST
from atrium_client.wire import Answer, Device
from fingerprints.scan import LabelledScan, Scan

MOST_SCANS = MAX_SCANS_PER_REQUEST
"""In one call of ``Server.answer``."""


@dataclass(frozen=True, slots=True)
class SaidVisit:
    """A visit as the system has it; ``kind`` is store, level or venue."""

    device_id: str
    kind: str
    place_id: str
    arrived_at: datetime
    last_inside_at: datetime
    is_counted: bool


@dataclass(frozen=True, slots=True)
class SaidEvent:
    """Something that the system told of a phone's scene; the place is None where a phase has none."""

    device_id: str
    type: str
    at: datetime
    place_kind: str | None
    place_id: str | None


class Server(Protocol):
    """One system under test. Calls come in the order of simulated time."""

    @property
    def wants_truth(self) -> bool:
        """Whether scans are to carry where they were truly made; the answers are the same."""
        ...

    def register(self, device_id: str, device: Device) -> bool:
        """Say what a phone is and what its owner allows. Returns: whether its visits may be kept."""
        ...

    def answer(self, scans: Sequence[Scan | LabelledScan], now: datetime) -> list[Answer]:
        """Answer at most ``MOST_SCANS`` scans that have arrived by ``now``, in order; one that came before gets the
        same answer again and moves nothing."""
        ...

    def redeem(self, code: str, store_id: str, at: datetime, key: str) -> str:
        """``redeemed``, or the code of the refusal; the same key gets the same again."""
        ...

    def sweep(self, now: datetime) -> None:
        """Time has gone by: visits of phones that have long been silent may close."""
        ...

    def close_all(self, now: datetime) -> None:
        """Let all open visits run out: the day is over."""
        ...


class Desk(Protocol):
    """What the people at the desk see of it: all since the run's start."""

    @property
    def campaign_ids(self) -> Sequence[str]:
        """The campaigns' ids, in the scenario's order."""
        ...

    def visits(self) -> list[SaidVisit]: ...

    def events(self) -> list[SaidEvent]:
        """In the order they were told."""
        ...

    def withheld(self) -> Counter[str]:
        """Cards that were withheld, by reason."""
        ...

    def given(self) -> tuple[int, ...]:
        """Cards given, by campaign."""
        ...


class System(Server, Desk, Protocol):
    """Both sides of one system: what a run needs."""
