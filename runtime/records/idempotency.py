"""Answers of calls that are done once, by their Idempotency-Key; kept for a day by the machine's clock."""

from datetime import datetime, timedelta
from typing import Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from api.errors import IdempotencyMismatchError
from api.ports import Caller, Once, Rendered
from kernel.clock import to_epoch_us
from runtime.records.schema import idempotency

KEPT: Final = timedelta(hours=24)
"""How long a repeat gets the first answer; no till tries again for longer. What was done stays done beyond it."""

_KEY = idempotency.c.key_id, idempotency.c.route, idempotency.c.idempotency_key


def find_answer(connection: Connection, caller: Caller, once: Once, now: datetime) -> Rendered | None:
    """The answer that the key got within the last day.

    Raises:
        IdempotencyMismatchError: the key was used with another body.
    """
    row = connection.execute(sa.select(idempotency).where(*_is(caller, once))).first()
    if row is None or row.at_us < to_epoch_us(now - KEPT):
        return None
    if row.request_hash != once.request_hash:
        raise IdempotencyMismatchError("this Idempotency-Key was used with another body")
    return Rendered(row.status, dict(row.body), is_replay=True)


def keep_answer(connection: Connection, caller: Caller, once: Once, rendered: Rendered, now: datetime) -> None:
    """Keep an answer for repeats, in place of one that is over."""
    connection.execute(idempotency.delete().where(*_is(caller, once)))
    connection.execute(
        idempotency.insert().values(
            tenant_id=caller.tenant,
            key_id=caller.key_id,
            route=once.route,
            idempotency_key=once.key,
            request_hash=once.request_hash,
            status=rendered.status,
            body=msgspec.to_builtins(rendered.body),
            at_us=to_epoch_us(now),
        )
    )


def drop_old_idempotency(connection: Connection, before: datetime, at_most: int) -> int:
    """Delete answers that are over; how many, up to ``at_most``.

    The table holds one day of calls and is walked in the order of its rows, oldest first: no index is needed.
    """
    over = sa.select(*_KEY).where(idempotency.c.at_us < to_epoch_us(before)).limit(at_most)
    return connection.execute(idempotency.delete().where(sa.tuple_(*_KEY).in_(over))).rowcount


def _is(caller: Caller, once: Once) -> tuple[sa.ColumnElement[bool], ...]:
    key_id, route, key = _KEY
    return key_id == caller.key_id, route == once.route, key == once.key
