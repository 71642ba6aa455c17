"""who is one person by many ids, and who looked at them"""

from alembic import op
import sqlalchemy as sa

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('tenants', schema=None) as batch_op:
        batch_op.add_column(sa.Column('region', sa.String(length=2), nullable=True))
        batch_op.add_column(sa.Column('takes_biometric', sa.Boolean(), server_default='0', nullable=False))

    with op.batch_alter_table('consents', schema=None) as batch_op:
        batch_op.add_column(sa.Column('channel', sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column('source', sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column('proof', sa.String(length=400), nullable=True))

    op.create_table('identities',
    sa.Column('ref', sa.String(length=160), nullable=False),
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('issuer', sa.String(length=256), nullable=False),
    sa.Column('person', sa.String(length=160), nullable=False),
    sa.Column('first_us', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('ref', name=op.f('pk_identities')),
    sqlite_with_rowid=False
    )
    with op.batch_alter_table('identities', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_identities_person'), ['person'], unique=False)

    op.create_table('identity_links',
    sa.Column('id', sa.String(length=160), nullable=False),
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('a', sa.String(length=160), nullable=False),
    sa.Column('b', sa.String(length=160), nullable=False),
    sa.Column('strength', sa.String(length=16), nullable=False),
    sa.Column('source', sa.String(length=200), nullable=False),
    sa.Column('first_us', sa.BigInteger(), nullable=False),
    sa.Column('last_us', sa.BigInteger(), nullable=False),
    sa.Column('occasions', sa.Integer(), nullable=False),
    sa.Column('undone_us', sa.BigInteger(), nullable=True),
    sa.CheckConstraint('a < b', name=op.f('ck_identity_links_lower_first')),
    sa.PrimaryKeyConstraint('a', 'b', 'strength', name=op.f('pk_identity_links')),
    sa.UniqueConstraint('id', name=op.f('uq_identity_links_id'))
    )
    with op.batch_alter_table('identity_links', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_identity_links_b'), ['b'], unique=False)

    op.create_table('unsettled_identities',
    sa.Column('ref', sa.String(length=160), nullable=False),
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.PrimaryKeyConstraint('ref', name=op.f('pk_unsettled_identities'))
    )
    op.create_table('person_changes',
    sa.Column('sequence', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('identity', sa.String(length=160), nullable=False),
    sa.Column('person_before', sa.String(length=160), nullable=True),
    sa.Column('person_after', sa.String(length=160), nullable=False),
    sa.Column('at_us', sa.BigInteger(), nullable=False),
    sa.Column('source', sa.String(length=200), nullable=False),
    sa.PrimaryKeyConstraint('sequence', name=op.f('pk_person_changes')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('person_changes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_person_changes_identity'), ['identity'], unique=False)
        batch_op.create_index(batch_op.f('ix_person_changes_person_after'), ['person_after'], unique=False)
        batch_op.create_index(batch_op.f('ix_person_changes_tenant_id_sequence'), ['tenant_id', 'sequence'], unique=False)

    op.create_table('accesses',
    sa.Column('sequence', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('person', sa.String(length=160), nullable=False),
    sa.Column('at_us', sa.BigInteger(), nullable=False),
    sa.Column('key_id', sa.String(length=160), nullable=False),
    sa.Column('role', sa.String(length=32), nullable=False),
    sa.Column('purpose', sa.String(length=32), nullable=False),
    sa.Column('what', sa.String(length=80), nullable=False),
    sa.PrimaryKeyConstraint('sequence', name=op.f('pk_accesses')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('accesses', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_accesses_person_at_us'), ['person', 'at_us'], unique=False)


def downgrade() -> None:
    for table in ('accesses', 'person_changes', 'unsettled_identities', 'identity_links', 'identities'):
        op.drop_table(table)
    with op.batch_alter_table('consents', schema=None) as batch_op:
        for column in ('proof', 'source', 'channel'):
            batch_op.drop_column(column)
    with op.batch_alter_table('tenants', schema=None) as batch_op:
        batch_op.drop_column('takes_biometric')
        batch_op.drop_column('region')
