"""payments, refunds and complaints; learning samples; events that are of nobody known
"""

from alembic import op
import sqlalchemy as sa

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    _let_events_be_of(None)
    op.create_table('payments',
    sa.Column('id', sa.String(length=160), nullable=False),
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('source', sa.String(length=200), nullable=False),
    sa.Column('receipt_id', sa.String(length=200), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('payment_id', sa.String(length=160), nullable=True),
    sa.Column('venue_id', sa.String(length=160), nullable=False),
    sa.Column('store_id', sa.String(length=160), nullable=False),
    sa.Column('person', sa.String(length=160), nullable=True),
    sa.Column('at_us', sa.BigInteger(), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=True),
    sa.Column('currency', sa.String(length=3), nullable=True),
    sa.Column('lines', sa.JSON(), nullable=False),
    sa.Column('reason', sa.String(length=16), nullable=True),
    sa.Column('refunded', sa.BigInteger(), nullable=False),
    sa.Column('recorded_us', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('refunded >= 0 AND (amount IS NULL OR refunded <= amount)', name=op.f('ck_payments_never_over_refunded')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_payments')),
    sa.UniqueConstraint('tenant_id', 'source', 'receipt_id', name=op.f('uq_payments_tenant_id_source_receipt_id'))
    )
    with op.batch_alter_table('payments', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_payments_tenant_id_recorded_us_id'), ['tenant_id', 'recorded_us', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_payments_tenant_id_store_id_at_us'), ['tenant_id', 'store_id', 'at_us'], unique=False)
        batch_op.create_index(batch_op.f('ix_payments_person'), ['person'], unique=False)
        batch_op.create_index(batch_op.f('ix_payments_payment_id'), ['payment_id'], unique=False)
    op.create_table('learning_samples',
    sa.Column('id', sa.String(length=160), nullable=False),
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('venue_id', sa.String(length=160), nullable=False),
    sa.Column('store_id', sa.String(length=160), nullable=False),
    sa.Column('day', sa.String(length=10), nullable=False),
    sa.Column('phone_class', sa.String(length=32), nullable=False),
    sa.Column('readings', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_learning_samples')),
    sqlite_with_rowid=False
    )
    op.create_index('ix_learning_samples_tenant_id_venue_id_day', 'learning_samples', ['tenant_id', 'venue_id', 'day'], unique=False)
    op.create_index('ix_learning_samples_day', 'learning_samples', ['day'], unique=False)


def _let_events_be_of(nobody: str | None) -> None:
    """With None an event may be of nobody; else none may, and those that were get this name.

    SQLite makes the table anew for it, which forgets the sequences given to rows that were deleted since: readers go on
    after the last they saw, so none may be given again.
    """
    connection = op.get_bind()
    is_sqlite = connection.dialect.name == 'sqlite'
    last = connection.scalar(sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'events'")) if is_sqlite else None
    if nobody is not None:
        op.execute(sa.text('UPDATE events SET person = :nobody WHERE person IS NULL').bindparams(nobody=nobody))
    with op.batch_alter_table('events', table_kwargs={'sqlite_autoincrement': True}) as batch_op:
        batch_op.alter_column('person', existing_type=sa.String(length=160), nullable=nobody is None)
    if last is not None:
        op.execute("DELETE FROM sqlite_sequence WHERE name = 'events'")
        op.execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', :last)").bindparams(last=last))


def downgrade() -> None:
    op.drop_table('learning_samples')
    op.drop_table('payments')
    _let_events_be_of('')
