"""What a client does, without doing it: steps that either client carries out, blocking or awaited.

A course of steps is a generator. It yields what is to be done next and is sent what came of it, so that the order,
the retries and the queue are written once, and neither client has a loop of its own.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from atrium_client import calls
from atrium_client.calls import Call
from atrium_client.errors import QueueError
from atrium_client.queue import ScanQueue
from atrium_client.retry import Outcome, Patience, RetryPolicy, is_worth_repeating, retry_after_s
from atrium_client.transport import read_outcome
from atrium_client.wire import Answer, Device, Json

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ask:
    """Send this once; what came of it is sent back."""

    call: Call[Any]
    time_out_s: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Let this time pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Tell:
    """Hand answers of the queue to whoever waits for them."""

    answers: Sequence[Answer]


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The end of the course, and its value."""

    value: T


Step = Ask | Wait | Tell
Steps = Generator[Step, Outcome | None, T]


def advance(steps: Steps[T], outcome: Outcome | None) -> Step | Done[T]:
    """The next step after an outcome (None at the start and after what has none)."""
    try:
        return steps.send(outcome)
    except StopIteration as end:
        return Done(end.value)


def attempts(call: Call[T], policy: RetryPolicy, time_out_s: float) -> Steps[T]:
    """One call, tried as often as the policy has it."""
    patience = Patience(policy)
    while True:
        outcome = yield Ask(call, patience.time_out_s(time_out_s))
        assert outcome is not None
        wait_s = None
        if is_worth_repeating(outcome, is_idempotent=call.is_idempotent):
            wait_s = patience.wait_s(retry_after_s(outcome))
        if wait_s is None:
            return read_outcome(call, outcome)
        yield Wait(wait_s)


def put_device(
    device_id: str, device: Device, queue: ScanQueue | None, policy: RetryPolicy, time_out_s: float
) -> Steps[Json]:
    """Tell the server what a phone's owner allows, and have the queue obey.

    A withdrawal empties the queue before the server hears of it, and reaches the server even where the queue fails; a
    consent opens the queue only once the server has it, since a scan that arrives earlier keeps no visit.

    Raises:
        AtriumError: the server did not take it; the queue is wiped all the same.
        QueueError: the server took it, the queue did not.
    """
    failure: QueueError | None = None
    if queue is not None and not may_be_kept(device):
        try:
            queue.wipe(device_id)
        except QueueError as error:
            failure = error
    answer = yield from attempts(calls.put_device(device_id, device), policy, time_out_s)
    if failure is not None:
        raise failure
    if queue is not None and may_be_kept(device):
        queue.allow(device_id)
    return answer


def may_be_kept(device: Device) -> bool:
    """Whether scans of a phone may wait on disk: its owner allows ``visits`` and is known not to be a child.

    The server keeps no visit of any other phone, so a scan sent later would be of no use to anyone.
    """
    is_of_age = device.get("age_band") in ("teen", "adult")
    return is_of_age and any(consent["purpose"] == "visits" for consent in device.get("consents", []))
