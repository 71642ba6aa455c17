"""A batch of orders for points in one transaction: each is decided on what those before it left, all stored at once.

An order that is refused changes nothing: it is decided before anything of it is taken into the book, and the rows are
written when all are decided. The tables check the same floors again; a batch that they refuse leaves nothing at all.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.engine import Connection

from api.errors import IdempotencyMismatchError
from api.ports import Caller, Once, Rendered
from kernel.errors import AtriumError, PartFailedError
from kernel.ids import TenantId
from members.points.decide import decide
from members.points.rules import PointRules
from members.points.transfers import Order, Transfer
from runtime.records.idempotency import Asked, asked_of, find_answers, keep_answers
from runtime.records.ledger import OwnersOf, load_book, store_transfers

Answer = Rendered | AtriumError


@dataclass(slots=True)
class Job:
    """An order, how its outcome is told, and who waits for that.

    Args:
        once: where a caller gave an Idempotency-Key; ``caller`` is whose it is.
        done: resolves after the commit; a thread waits for the one kind, a coroutine for the other.
    """

    tenant: TenantId
    order: Order
    render: Callable[[Transfer | AtriumError], Rendered]
    caller: Caller | None = None
    once: Once | None = None
    done: "Future[Rendered] | asyncio.Future[Rendered]" = field(default_factory=Future)

    @property
    def asked(self) -> Asked | None:
        """What an earlier answer is found by."""
        return None if self.caller is None or self.once is None else asked_of(self.caller, self.once)


def settle(
    connection: Connection,
    tenant: TenantId,
    jobs: Sequence[Job],
    rules: PointRules,
    owners_of: OwnersOf,
    at: datetime,
    recorded_at: datetime,
) -> list[Answer]:
    """The answer of each job of a tenant, in order; good once the transaction is committed."""
    keys = [(job.caller, job.once) for job in jobs if job.caller is not None and job.once is not None]
    answered = find_answers(connection, keys, recorded_at)
    loaded = load_book(connection, tenant, [job.order for job in jobs if job.asked not in answered], owners_of)
    made: list[Transfer] = []
    answers: list[Answer] = []
    to_keep: list[tuple[Caller, Once, Rendered]] = []
    for job in jobs:
        held = None if job.asked is None else answered.get(job.asked)
        if held is not None and job.once is not None:
            is_same = held[1] == job.once.request_hash
            answers.append(
                held[0] if is_same else IdempotencyMismatchError("this Idempotency-Key was used with another body")
            )
            continue
        result: Transfer | AtriumError
        try:
            result = decide(job.order, loaded.book, rules, at)
        except PartFailedError:
            raise
        except AtriumError as refusal:
            result = refusal  # it changed nothing, and is the answer, for a repeat too
        else:
            loaded.book.record(result)
            made.append(result)
        rendered = job.render(result)
        answers.append(rendered)
        if job.caller is not None and job.once is not None:
            replay = Rendered(rendered.status, rendered.body, is_replay=True)
            answered[asked_of(job.caller, job.once)] = replay, job.once.request_hash
            to_keep.append((job.caller, job.once, rendered))
    keep_answers(connection, to_keep, recorded_at)
    store_transfers(connection, tenant, loaded, made, recorded_at)
    return answers
