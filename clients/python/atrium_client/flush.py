"""Sending the queue: in order, in batches, nothing removed that was not answered."""

from dataclasses import dataclass
from typing import Any

from atrium_client.calls import MAX_REQUEST_BYTES, Call, locate_batch
from atrium_client.errors import AtriumError, ServerError, from_problem
from atrium_client.queue import Held, ScanQueue
from atrium_client.retry import Outcome, Patience, RetryPolicy, is_worth_repeating
from atrium_client.steps import Ask, Steps, Tell, Wait
from atrium_client.transport import read_outcome
from atrium_client.wire import Answer

_OF_THE_SCANS = frozenset({400, 413, 422})
"""Refusals that lie in what was sent, not in the key, the address or the server."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A scan that the server will never take; it is no longer in the queue."""

    scan_id: str
    error: AtriumError


@dataclass(frozen=True, slots=True)
class Flushed:
    """What became of the queue.

    Attributes:
        sent: scans answered and removed.
        refused: scans refused and removed.
        left: scans still in the queue; 0 unless ``error`` says why not, or new ones came in meanwhile.
        error: why the sending ended early; None where all was sent.
    """

    sent: int
    refused: tuple[Refused, ...]
    left: int
    error: AtriumError | None


def flush(queue: ScanQueue, policy: RetryPolicy, batch: int, time_out_s: float) -> Steps[Flushed]:
    """Send what waits. Each answer is told before its scan is removed, so a death in between tells it again.

    Every attempt reads the queue anew: what was wiped in the meantime is not sent again. The policy counts from the
    last batch in which anything moved.

    Raises:
        QueueBusy: the queue is being sent already.
    """
    with queue.sending():
        return (yield from _Sending(queue, policy, batch, time_out_s).run())


class _Sending:
    """One flush under way."""

    def __init__(self, queue: ScanQueue, policy: RetryPolicy, batch: int, time_out_s: float) -> None:
        self._queue, self._time_out_s, self._most = queue, time_out_s, batch
        self._patience = Patience(policy)
        self._size = batch
        self._sent = 0
        self._refused: list[Refused] = []

    def run(self) -> Steps[Flushed]:
        while held := self._queue.peek(self._size, MAX_REQUEST_BYTES - 64):
            call = locate_batch([one.body for one in held], is_idempotent=True)
            outcome = yield Ask(call, self._patience.time_out_s(self._time_out_s))
            assert outcome is not None
            try:
                answers = _read(call, held, outcome)
            except AtriumError as error:
                failure: AtriumError | None = error
                if error.status in _OF_THE_SCANS and self._narrow(held, error):
                    continue
                wait_s = None
                if is_worth_repeating(outcome, is_idempotent=True):
                    wait_s = self._patience.wait_s(error.retry_after_s)
            else:
                failure = yield from self._settle(held, answers)
                wait_s = None if failure is None else self._patience.wait_s()
            if failure is not None:
                if wait_s is None:
                    return self._report(failure)
                yield Wait(wait_s)
        return self._report(None)

    def _narrow(self, held: list[Held], error: AtriumError) -> bool:
        """Look for the scan at fault in half of a refused batch; drop it when it is alone. False: not the scan's fault.

        A proxy that says 400 to everything must not empty the queue, so only the API's own word drops a scan; but
        for 413, where the scan would block the rest on this road for ever.
        """
        if len(held) > 1:
            self._size = len(held) // 2
            return True
        if error.code == "unknown" and error.status != 413:
            return False
        self._refused.append(Refused(held[0].scan_id, error))
        self._queue.remove([held[0].seq])
        return True

    def _settle(self, held: list[Held], answers: list[Answer]) -> Steps[AtriumError | None]:
        """Tell the answers, drop what is over; the error of a scan that stays, if any does."""
        over: list[int] = []
        told: list[Answer] = []
        refused: list[Refused] = []
        failure: AtriumError | None = None
        for one, answer in zip(held, answers, strict=True):
            error = _error_in(answer)
            if error is None:
                told.append(answer)
                over.append(one.seq)
            elif 400 <= error.status < 500 and error.status != 429:
                refused.append(Refused(one.scan_id, error))
                over.append(one.seq)
            else:
                failure = error
        yield Tell(told)
        self._queue.remove(over)
        self._sent += len(told)
        self._refused += refused
        self._size = min(self._most, 2 * self._size)
        if over:
            self._patience.begin_anew()
        return failure

    def _report(self, error: AtriumError | None) -> Flushed:
        self._queue.tidy()
        return Flushed(self._sent, tuple(self._refused), self._queue.counts().scans, error)


def _read(call: Call[list[Answer]], held: list[Held], outcome: Outcome) -> list[Answer]:
    """The answers to these scans; a page that only looks like an answer acknowledges nothing.

    A refused scan's name may be cut or null, since the server could not read it: its place tells which it is.

    Raises:
        AtriumError: there are none.
    """
    answers = read_outcome(call, outcome)
    for one, answer in zip(held, answers, strict=True):
        if "error" not in answer and answer.get("scan_id") != one.scan_id:
            detail = f"scan {one.scan_id!r} was sent, {answer.get('scan_id')!r} was answered"
            raise ServerError(200, "unreadable_answer", detail)
    return answers


def _error_in(answer: Answer) -> AtriumError | None:
    problem: Any = answer.get("error")
    if problem is None:
        return None
    status = problem.get("status") if isinstance(problem, dict) else None
    return from_problem(status if isinstance(status, int) else 500, problem)
