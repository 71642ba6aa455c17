"""webhooks; an index of open visits; no sequence of an event is given twice; ends that were not told

Readers go on after the last sequence they saw, and events of staff and of sensitive stores are deleted: SQLite would
give the newest one's sequence again.
"""

import base64
import hashlib
import time
from datetime import UTC, datetime, timedelta

from alembic import op
import sqlalchemy as sa

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('events', recreate='always', table_kwargs={'sqlite_autoincrement': True}):
        pass
    op.create_table('webhooks',
    sa.Column('id', sa.String(length=160), nullable=False),
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('url', sa.String(length=2000), nullable=False),
    sa.Column('types', sa.JSON(), nullable=False),
    sa.Column('after_sequence', sa.BigInteger(), nullable=False),
    sa.Column('created_us', sa.BigInteger(), nullable=False),
    sa.Column('delivered_us', sa.BigInteger(), nullable=True),
    sa.Column('failing_since_us', sa.BigInteger(), nullable=True),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('last_error', sa.String(length=200), nullable=True),
    sa.Column('next_attempt_us', sa.BigInteger(), nullable=True),
    sa.Column('disabled_us', sa.BigInteger(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhooks'))
    )
    with op.batch_alter_table('webhooks', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_webhooks_tenant_id_created_us_id'), ['tenant_id', 'created_us', 'id'], unique=False)
    op.create_index(
        'ix_visits_open',
        'visits',
        ['tenant_id', 'arrived_us', 'id'],
        unique=False,
        sqlite_where=sa.text('left_us IS NULL'),
        postgresql_where=sa.text('left_us IS NULL'),
    )
    _tell_ends()


def _tell_ends() -> None:
    """A ``visit.exited`` for each visit that is over and by its events is not; none for visits that were deleted."""
    connection = op.get_bind()
    visits = sa.table('visits', *map(sa.column, (
        'id', 'person', 'tenant_id', 'venue_id', 'kind', 'place_id', 'arrived_us', 'last_inside_us', 'left_us', 'counted',
        'fix_count', 'confidence', 'revision',
    )))
    events = sa.table('events', *map(sa.column, ('sequence', 'id', 'tenant_id', 'type', 'occurred_us', 'recorded_us', 'person')),
                      sa.column('data', sa.JSON()))
    told = sa.select(events.c.type, events.c.data).where(
        events.c.type.in_(['visit.entered', 'visit.exited', 'visit.revised'])
    )
    is_open: dict[str, None] = {}
    for kind, data in connection.execute(told.order_by(events.c.sequence)):
        ends = kind == 'visit.exited' or (kind == 'visit.revised' and (data.get('void') or data.get('left_at')))
        if ends:
            is_open.pop(data['visit_id'], None)
        else:
            is_open[data['visit_id']] = None
    now_us = time.time_ns() // 1_000
    for visit_id in is_open:
        visit = connection.execute(sa.select(visits).where(visits.c.id == visit_id, visits.c.left_us.is_not(None))).first()
        if visit is None:
            continue
        connection.execute(events.insert().values(
            id=_event_id(visit.id, 'visit.exited', str(visit.revision), ''),
            tenant_id=visit.tenant_id, type='visit.exited', occurred_us=visit.left_us, recorded_us=now_us, person=visit.person,
            data={
                'place': {'id': visit.place_id, 'kind': visit.kind}, 'venue_id': visit.venue_id, 'visit_id': visit.id,
                'revision': visit.revision, 'confidence': round(visit.confidence, 4), 'fix_count': visit.fix_count,
                'reason': 'gap', 'counted': bool(visit.counted),
                'dwell_s': (visit.last_inside_us - visit.arrived_us) / 1e6,
                'arrived_at': _rfc3339(visit.arrived_us), 'left_at': _rfc3339(visit.left_us),
            },
        ))


def _event_id(*parts: str) -> str:
    """As ``kernel.ids.derive_id`` was when this was written."""
    digest = hashlib.blake2b(b'\x1f'.join(part.encode() for part in parts), digest_size=15).digest()
    return 'evt_' + base64.b32encode(digest).decode().lower()


def _rfc3339(at_us: int) -> str:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    return at.isoformat(timespec='milliseconds').replace('+00:00', 'Z')


def downgrade() -> None:
    op.drop_index('ix_visits_open', table_name='visits')
    with op.batch_alter_table('webhooks', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_webhooks_tenant_id_created_us_id'))
    op.drop_table('webhooks')
