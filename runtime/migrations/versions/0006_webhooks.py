"""webhooks; an index of open visits; no sequence of an event is given twice

Readers go on after the last sequence they saw, and events of staff and of sensitive stores are deleted: SQLite would
give the newest one's sequence again.
"""

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


def downgrade() -> None:
    op.drop_index('ix_visits_open', table_name='visits')
    with op.batch_alter_table('webhooks', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_webhooks_tenant_id_created_us_id'))
    op.drop_table('webhooks')
