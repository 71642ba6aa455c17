"""phones' tracks, so that a restart changes no answer"""

from alembic import op
import sqlalchemy as sa

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('tracks',
    sa.Column('device_ref', sa.String(length=160), nullable=False),
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('record', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('device_ref', name=op.f('pk_tracks'))
    )


def downgrade() -> None:
    op.drop_table('tracks')
