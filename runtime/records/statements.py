"""What people are told of their points: balances and statements, over all refs that a person consists of."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from api.ports import Page
from kernel.clock import from_epoch_us, to_epoch_us
from kernel.ids import TenantId
from members.points.accounts import WITH_LOTS, AccountKey, AccountKind
from members.points.statement import Balance, StatementLine
from members.points.transfers import Phase, TransferKind
from runtime.records.ledger import account_id
from runtime.records.paging import read_page
from runtime.records.schema import point_accounts, point_legs, point_lots, point_transfers


def balance_of(
    connection: Connection,
    tenant: TenantId,
    owners: Sequence[str],
    at: datetime,
    kind: AccountKind = AccountKind.PERSON,
) -> Balance:
    """What the accounts of these owners have together at an instant; nothing where there are none."""
    ids = [account_id(tenant, AccountKey(kind, owner)) for owner in owners]
    sums = sa.select(sa.func.sum(point_accounts.c.balance), sa.func.sum(point_accounts.c.held))
    balance, held = connection.execute(sums.where(point_accounts.c.id.in_(ids))).one()
    if kind not in WITH_LOTS:
        return Balance(int(balance or 0) - int(held or 0), int(held or 0), None, None)
    lots = connection.execute(
        sa.select(point_lots.c.expires_us, sa.func.sum(point_lots.c.points).label("points"))
        .where(point_lots.c.account_id.in_(ids), point_lots.c.expires_us > to_epoch_us(at))
        .group_by(point_lots.c.expires_us)
        .order_by(point_lots.c.expires_us)
    ).all()
    return Balance(
        points=sum(int(lot.points) for lot in lots),
        held=int(held or 0),
        next_points=int(lots[0].points) if lots else None,
        next_expires_at=from_epoch_us(lots[0].expires_us) if lots else None,
    )


def list_statement(
    connection: Connection,
    tenant: TenantId,
    owners: Sequence[str],
    limit: int,
    cursor: str | None,
    kind: AccountKind = AccountKind.PERSON,
) -> Page[StatementLine]:
    """The transfers that concern these owners, oldest first. Costs a walk through all of their legs a page."""
    ids = [account_id(tenant, AccountKey(kind, owner)) for owner in owners]
    sides = [
        sa.select(point_legs.c.transfer_id, (sign * point_legs.c.points).label("points")).where(side.in_(ids))
        for sign, side in ((1, point_legs.c.credit_id), (-1, point_legs.c.debit_id))
    ]
    mine = sa.union_all(*sides).subquery()
    query = (
        sa.select(point_transfers, sa.func.sum(mine.c.points).label("moved"))
        .join(mine, mine.c.transfer_id == point_transfers.c.id)
        .where(point_transfers.c.tenant_id == tenant)
        .group_by(*point_transfers.c)
    )
    page = read_page(connection, query, point_transfers.c.sequence, limit, cursor)
    return Page(
        [
            StatementLine(
                transfer_id=row.id,
                kind=TransferKind(row.kind),
                phase=Phase(row.phase),
                points=int(row.moved),
                reason=row.reason,
                reference=row.reference,
                at=from_epoch_us(row.at_us),
                until=None if row.until_us is None else from_epoch_us(row.until_us),
                pending_id=row.pending_id,
                reverses_id=row.reverses_id,
            )
            for row in page.data
        ],
        page.next_cursor,
    )
