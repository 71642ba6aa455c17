"""who is left out as staff"""

from alembic import op
import sqlalchemy as sa

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('staff',
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('venue_id', sa.String(length=160), nullable=False),
    sa.Column('person', sa.String(length=160), nullable=False),
    sa.Column('until_us', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'venue_id', 'person', name=op.f('pk_staff'))
    )
    with op.batch_alter_table('staff', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_staff_tenant_id_person'), ['tenant_id', 'person'], unique=False)



def downgrade() -> None:
    with op.batch_alter_table('staff', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_staff_tenant_id_person'))

    op.drop_table('staff')
