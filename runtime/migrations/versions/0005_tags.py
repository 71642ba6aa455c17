"""tags: records of people, what was learnt into them, what holds

What was recorded before is learnt from the first event on; ``visit.revised`` of earlier versions does not say what the
visit became, so such a visit is taken back and not learnt again.
"""

from alembic import op
import sqlalchemy as sa

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('cursors',
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('name', sa.String(length=32), nullable=False),
    sa.Column('sequence', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'name', name=op.f('pk_cursors'))
    )
    op.create_table('person_tags',
    sa.Column('id', sa.String(length=160), nullable=False),
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('person', sa.String(length=160), nullable=False),
    sa.Column('venue_id', sa.String(length=160), nullable=False),
    sa.Column('tag', sa.String(length=32), nullable=False),
    sa.Column('subject', sa.String(length=400), nullable=True),
    sa.Column('score', sa.Float(), nullable=False),
    sa.Column('evidence_n', sa.Integer(), nullable=False),
    sa.Column('expires_us', sa.BigInteger(), nullable=True),
    sa.Column('added_us', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_person_tags'))
    )
    with op.batch_alter_table('person_tags', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_person_tags_person'), ['person'], unique=False)
        batch_op.create_index(batch_op.f('ix_person_tags_tenant_id_added_us_id'), ['tenant_id', 'added_us', 'id'], unique=False)

    op.create_table('tag_learnt',
    sa.Column('visit_id', sa.String(length=160), nullable=False),
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('person', sa.String(length=160), nullable=False),
    sa.Column('venue_id', sa.String(length=160), nullable=False),
    sa.Column('day', sa.Integer(), nullable=False),
    sa.Column('row', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('visit_id', name=op.f('pk_tag_learnt'))
    )
    with op.batch_alter_table('tag_learnt', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_tag_learnt_person'), ['person'], unique=False)
        batch_op.create_index(batch_op.f('ix_tag_learnt_tenant_id_day'), ['tenant_id', 'day'], unique=False)

    op.create_table('tag_names',
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('parent', sa.String(length=160), nullable=False),
    sa.Column('name', sa.String(length=400), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('base_dwell_s', sa.Float(), nullable=True),
    sa.PrimaryKeyConstraint('tenant_id', 'kind', 'parent', 'name', name=op.f('pk_tag_names')),
    sa.UniqueConstraint('tenant_id', 'kind', 'number', name=op.f('uq_tag_names_tenant_id_kind_number'))
    )
    op.create_table('tag_nights',
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('day', sa.Integer(), nullable=False),
    sa.Column('shares', sa.JSON(), nullable=True),
    sa.Column('ended_day', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', name=op.f('pk_tag_nights'))
    )
    op.create_table('tag_records',
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('person', sa.String(length=160), nullable=False),
    sa.Column('venue_id', sa.String(length=160), nullable=False),
    sa.Column('settled_day', sa.Integer(), nullable=False),
    sa.Column('record', sa.LargeBinary(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'person', name=op.f('pk_tag_records'))
    )
    with op.batch_alter_table('tag_records', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_tag_records_tenant_id_settled_day'), ['tenant_id', 'settled_day'], unique=False)

    op.create_table('tag_counts',
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('venue_id', sa.String(length=160), nullable=False),
    sa.Column('tag', sa.String(length=32), nullable=False),
    sa.Column('subject', sa.String(length=400), nullable=True),
    sa.Column('people', sa.Integer(), nullable=False),
    sa.Column('day', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'number', name=op.f('pk_tag_counts'))
    )
    op.create_table('rhythm_states',
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('person', sa.String(length=160), nullable=False),
    sa.Column('venue_id', sa.String(length=160), nullable=False),
    sa.Column('category', sa.String(length=400), nullable=False),
    sa.Column('settled', sa.LargeBinary(), nullable=False),
    sa.Column('state', sa.LargeBinary(), nullable=False),
    sa.Column('judged_day', sa.Integer(), nullable=False),
    sa.Column('band', sa.String(length=16), nullable=True),
    sa.Column('ratio', sa.Float(), nullable=True),
    sa.Column('expected_day', sa.Float(), nullable=True),
    sa.Column('p_active', sa.Float(), nullable=True),
    sa.Column('p_return_28d', sa.Float(), nullable=True),
    sa.PrimaryKeyConstraint('tenant_id', 'venue_id', 'category', 'person', name=op.f('pk_rhythm_states'))
    )
    with op.batch_alter_table('rhythm_states', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_rhythm_states_tenant_id_judged_day_venue_id_category'), ['tenant_id', 'judged_day', 'venue_id', 'category'], unique=False)
        batch_op.create_index(batch_op.f('ix_rhythm_states_tenant_id_person'), ['tenant_id', 'person'], unique=False)

    op.create_table('rhythm_models',
    sa.Column('tenant_id', sa.String(length=160), nullable=False),
    sa.Column('venue_id', sa.String(length=160), nullable=False),
    sa.Column('category', sa.String(length=400), nullable=False),
    sa.Column('version', sa.String(length=160), nullable=False),
    sa.Column('day', sa.Integer(), nullable=False),
    sa.Column('figures', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('tenant_id', 'venue_id', 'category', name=op.f('pk_rhythm_models'))
    )
    with op.batch_alter_table('devices', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_devices_person'), ['person'], unique=False)



def downgrade() -> None:
    with op.batch_alter_table('devices', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_devices_person'))

    with op.batch_alter_table('tag_records', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_tag_records_tenant_id_settled_day'))

    op.drop_table('tag_records')
    op.drop_table('tag_nights')
    op.drop_table('tag_names')
    with op.batch_alter_table('tag_learnt', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_tag_learnt_tenant_id_day'))
        batch_op.drop_index(batch_op.f('ix_tag_learnt_person'))

    op.drop_table('tag_learnt')
    with op.batch_alter_table('person_tags', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_person_tags_tenant_id_added_us_id'))
        batch_op.drop_index(batch_op.f('ix_person_tags_person'))

    op.drop_table('person_tags')
    op.drop_table('rhythm_models')
    with op.batch_alter_table('rhythm_states', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_rhythm_states_tenant_id_person'))
        batch_op.drop_index(batch_op.f('ix_rhythm_states_tenant_id_judged_day_venue_id_category'))

    op.drop_table('rhythm_states')
    op.drop_table('tag_counts')
    op.drop_table('cursors')
