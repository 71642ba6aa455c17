"""the log of fixes; scenes are packed records

Scenes of the earlier form cannot be taken up: what is open ends at its last fix inside.
"""

from alembic import op
import sqlalchemy as sa

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('fixes',
    sa.Column('sequence', sa.Integer(), autoincrement=True, nullable=False),
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('device_ref', sa.String(length=160), nullable=False),
    sa.Column('at_ms', sa.BigInteger(), nullable=False),
    sa.Column('base_min', sa.Integer(), nullable=False),
    sa.Column('venue_id', sa.String(length=160), nullable=True),
    sa.Column('level_id', sa.String(length=160), nullable=True),
    sa.Column('store_id', sa.String(length=160), nullable=True),
    sa.Column('front_id', sa.String(length=160), nullable=True),
    sa.Column('evidence', sa.Integer(), nullable=False),
    sa.Column('is_walkway', sa.Boolean(), nullable=False),
    sa.Column('is_at_exit', sa.Boolean(), nullable=False),
    sa.Column('is_approaching', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('sequence', name=op.f('pk_fixes'))
    )
    with op.batch_alter_table('fixes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_fixes_at_ms'), ['at_ms'], unique=False)
        batch_op.create_index(batch_op.f('ix_fixes_device_ref_at_ms'), ['device_ref', 'at_ms'], unique=False)
    op.execute('UPDATE visits SET left_us = last_inside_us WHERE left_us IS NULL')
    op.execute('DELETE FROM scenes')


def downgrade() -> None:
    op.execute('DELETE FROM scenes')
    with op.batch_alter_table('fixes', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_fixes_device_ref_at_ms'))
        batch_op.drop_index(batch_op.f('ix_fixes_at_ms'))
    op.drop_table('fixes')
