"""points: accounts, lots, transfers, legs, holds, members of pools

What was written into the ledger stays as it was written: rows of transfers and legs take no update.
"""

from alembic import op
import sqlalchemy as sa

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('point_accounts',
    sa.Column('id', sa.String(length=160), nullable=False),
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('owner', sa.String(length=160), nullable=False),
    sa.Column('balance', sa.BigInteger(), nullable=False),
    sa.Column('held', sa.BigInteger(), nullable=False),
    sa.Column('day', sa.Integer(), nullable=True),
    sa.Column('earned', sa.BigInteger(), nullable=False),
    sa.Column('redeemed', sa.BigInteger(), nullable=False),
    sa.Column('given', sa.BigInteger(), nullable=False),
    sa.CheckConstraint("kind = 'issuer' OR balance - held >= 0", name=op.f('ck_point_accounts_never_below_the_floor')),
    sa.CheckConstraint('held >= 0', name=op.f('ck_point_accounts_never_less_than_nothing_held')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_point_accounts')),
    sa.UniqueConstraint('tenant_id', 'kind', 'owner', name=op.f('uq_point_accounts_tenant_id_kind_owner'))
    )
    op.create_table('point_holds',
    sa.Column('transfer_id', sa.String(length=160), nullable=False),
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('until_us', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('transfer_id', name=op.f('pk_point_holds'))
    )
    with op.batch_alter_table('point_holds', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_point_holds_until_us'), ['until_us'], unique=False)

    op.create_table('point_legs',
    sa.Column('transfer_id', sa.String(length=160), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('debit_id', sa.String(length=160), nullable=False),
    sa.Column('credit_id', sa.String(length=160), nullable=False),
    sa.Column('points', sa.BigInteger(), nullable=False),
    sa.Column('expires_us', sa.BigInteger(), nullable=True),
    sa.CheckConstraint('debit_id <> credit_id', name=op.f('ck_point_legs_never_to_itself')),
    sa.CheckConstraint('points > 0', name=op.f('ck_point_legs_always_some')),
    sa.PrimaryKeyConstraint('transfer_id', 'number', name=op.f('pk_point_legs')),
    sqlite_with_rowid=False,
    )
    with op.batch_alter_table('point_legs', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_point_legs_credit_id'), ['credit_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_point_legs_debit_id'), ['debit_id'], unique=False)

    op.create_table('point_lots',
    sa.Column('account_id', sa.String(length=160), nullable=False),
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('expires_us', sa.BigInteger(), nullable=False),
    sa.Column('points', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('points > 0', name=op.f('ck_point_lots_never_empty')),
    sa.PrimaryKeyConstraint('account_id', 'expires_us', name=op.f('pk_point_lots')),
    sqlite_with_rowid=False,
    )
    with op.batch_alter_table('point_lots', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_point_lots_expires_us'), ['expires_us'], unique=False)

    op.create_table('point_pool_members',
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('pool', sa.String(length=160), nullable=False),
    sa.Column('person', sa.String(length=160), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'pool', 'person', name=op.f('pk_point_pool_members'))
    )
    with op.batch_alter_table('point_pool_members', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_point_pool_members_person'), ['person'], unique=False)

    op.create_table('point_transfers',
    sa.Column('sequence', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('id', sa.String(length=160), nullable=False),
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('phase', sa.String(length=16), nullable=False),
    sa.Column('points', sa.BigInteger(), nullable=False),
    sa.Column('reason', sa.String(length=200), nullable=False),
    sa.Column('reference', sa.String(length=200), nullable=True),
    sa.Column('at_us', sa.BigInteger(), nullable=False),
    sa.Column('until_us', sa.BigInteger(), nullable=True),
    sa.Column('pending_id', sa.String(length=160), nullable=True),
    sa.Column('reverses_id', sa.String(length=160), nullable=True),
    sa.CheckConstraint("(phase = 'pending') = (until_us IS NOT NULL)", name=op.f('ck_point_transfers_only_holds_end_by_themselves')),
    sa.CheckConstraint("(phase IN ('done', 'pending')) = (pending_id IS NULL)", name=op.f('ck_point_transfers_only_ends_of_holds_name_one')),
    sa.CheckConstraint('points > 0', name=op.f('ck_point_transfers_always_some')),
    sa.PrimaryKeyConstraint('sequence', name=op.f('pk_point_transfers')),
    sa.UniqueConstraint('id', name=op.f('uq_point_transfers_id'))
    )
    for name in ('pending_id', 'reverses_id'):
        op.create_index(
            f'uq_point_transfers_{name}',
            'point_transfers',
            [name],
            unique=True,
            sqlite_where=sa.text(f'{name} IS NOT NULL'),
            postgresql_where=sa.text(f'{name} IS NOT NULL'),
        )
    if op.get_bind().dialect.name == 'sqlite':
        refuse = "BEGIN SELECT RAISE(ABORT, 'a line of the ledger is never changed'); END"
        op.execute(f'CREATE TRIGGER point_transfers_never_change BEFORE UPDATE ON point_transfers {refuse}')
        op.execute(  # but that the account of somebody who is erased gets another name: one that is no account's
            'CREATE TRIGGER point_legs_never_change BEFORE UPDATE ON point_legs WHEN '
            'NEW.transfer_id <> OLD.transfer_id OR NEW.number <> OLD.number OR NEW.points <> OLD.points '
            'OR NEW.tenant_id <> OLD.tenant_id OR NEW.expires_us IS NOT OLD.expires_us '
            'OR (NEW.debit_id <> OLD.debit_id AND NEW.debit_id IN (SELECT id FROM point_accounts)) '
            'OR (NEW.credit_id <> OLD.credit_id AND NEW.credit_id IN (SELECT id FROM point_accounts)) '
            f'{refuse}'
        )


def downgrade() -> None:
    op.drop_table('point_transfers')
    with op.batch_alter_table('point_pool_members', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_point_pool_members_person'))

    op.drop_table('point_pool_members')
    with op.batch_alter_table('point_lots', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_point_lots_expires_us'))

    op.drop_table('point_lots')
    with op.batch_alter_table('point_legs', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_point_legs_debit_id'))
        batch_op.drop_index(batch_op.f('ix_point_legs_credit_id'))

    op.drop_table('point_legs')
    with op.batch_alter_table('point_holds', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_point_holds_until_us'))

    op.drop_table('point_holds')
    op.drop_table('point_accounts')
