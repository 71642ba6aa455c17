"""What was learnt of a place before it was sensitive goes: out of records, tags, rhythms, marks, counts and events."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kernel.ids import PersonRef, TenantId
from runtime.records.schema import events, person_tags, rhythm_models, rhythm_states, tag_counts, tag_learnt
from runtime.records.tags import records_after, store_records
from runtime.tag_changes import People, TagModel
from runtime.tag_places import TagBook, Unnamed
from scenes.tags.names import STAGES, TagName
from scenes.tags.record import CLOSED, forget_places

PEOPLE_AT_ONCE: Final = 256
EVENTS_AT_ONCE: Final = 5_000
"""Looked at in a step: some tens of milliseconds in which no scan can be stored."""


@dataclass(frozen=True, slots=True)
class Forgetting:
    """How far the forgetting of some names has come; ``is_over`` when nothing of them is left."""

    names: Unnamed
    person: PersonRef | None = None
    are_people_over: bool = False
    sequence: int = 0
    is_over: bool = False


def forget_step(
    connection: Connection, tenant: TenantId, book: TagBook, model: TagModel, done: Forgetting
) -> Forgetting:
    """Forget of some people, then in some events. Done again it changes nothing, so it may begin anew at a start."""
    if done.are_people_over:
        return _forget_events(connection, tenant, done)
    held = records_after(connection, tenant, done.person or PersonRef(""), PEOPLE_AT_ONCE)
    if not held:
        _forget_counts(connection, tenant, done.names)
        return replace(done, are_people_over=True)
    categories = {book.category(name) for name in done.names.categories}
    brands = {book.brand_named(*brand) for brand in done.names.brands}
    people = People(held, model.rules)
    has_changed = forget_places(people.states, categories, brands)
    store_records(connection, tenant, [one for one, has in zip(people.held(), has_changed, strict=True) if has])
    _forget_of(connection, tenant, people.refs, done.names)
    _forget_marks(connection, tenant, people.refs, categories, brands)
    return replace(done, person=people.refs[-1])


def _forget_of(connection: Connection, tenant: TenantId, people: Sequence[PersonRef], names: Unnamed) -> None:
    of_people = person_tags.c.tenant_id == tenant, person_tags.c.person.in_(people)
    connection.execute(person_tags.delete().where(*of_people, _names(person_tags.c.tag, person_tags.c.subject, names)))
    if names.categories:
        rhythms = rhythm_states.c.tenant_id == tenant, rhythm_states.c.person.in_(people)
        connection.execute(rhythm_states.delete().where(*rhythms, rhythm_states.c.category.in_(names.categories)))


def _forget_marks(
    connection: Connection, tenant: TenantId, people: Sequence[PersonRef], categories: set[int], brands: set[int]
) -> None:
    """A visit's mark goes with its category; of a brand alone, it stays a visit to the category."""
    query = sa.select(tag_learnt).where(tag_learnt.c.tenant_id == tenant, tag_learnt.c.person.in_(people))
    for mark in connection.execute(query).all():
        row = np.frombuffer(mark.row, dtype=CLOSED).copy()
        this = tag_learnt.c.visit_id == mark.visit_id
        if int(row["category"][0]) in categories:
            connection.execute(tag_learnt.delete().where(this))
        elif int(row["brand"][0]) in brands:
            row["brand"] = -1
            connection.execute(tag_learnt.update().where(this).values(row=row.tobytes()))


def _forget_counts(connection: Connection, tenant: TenantId, names: Unnamed) -> None:
    """Of groups, and so of nobody, but they name it."""
    bands = [f"{name}:" for name in names.categories]
    of_bands = sa.or_(sa.false(), *(tag_counts.c.subject.startswith(band, autoescape=True) for band in bands))
    named = sa.or_(_names(tag_counts.c.tag, tag_counts.c.subject, names), of_bands)
    connection.execute(tag_counts.delete().where(tag_counts.c.tenant_id == tenant, named))
    models = rhythm_models.c.tenant_id == tenant, rhythm_models.c.category.in_(names.categories)
    connection.execute(rhythm_models.delete().where(*models))


def _forget_events(connection: Connection, tenant: TenantId, done: Forgetting) -> Forgetting:
    column = events.c.sequence
    behind = sa.select(column).where(events.c.tenant_id == tenant, column > done.sequence)
    bound = connection.execute(behind.order_by(column).offset(EVENTS_AT_ONCE - 1).limit(1)).scalar()
    some = [events.c.tenant_id == tenant, column > done.sequence]
    if bound is not None:
        some.append(column <= bound)
    tag, subject = events.c.data["tag"].as_string(), events.c.data["subject"].as_string()
    of_tags = sa.and_(events.c.type.like("tag.%"), _names(tag, subject, done.names))
    of_rhythm = sa.and_(
        events.c.type.like("rhythm.%"), events.c.data["category"].as_string().in_(done.names.categories)
    )
    connection.execute(events.delete().where(*some, sa.or_(of_tags, of_rhythm)))
    return replace(done, is_over=True) if bound is None else replace(done, sequence=int(bound))


def _names(
    tag: sa.ColumnElement[str], subject: sa.ColumnElement[str] | sa.ColumnElement[str | None], names: Unnamed
) -> sa.ColumnElement[bool]:
    """Whether a tag's subject is one of these."""
    stages = [f"{category}:{stage.value}" for category in names.categories for stage in STAGES]
    return sa.or_(
        sa.and_(tag == TagName.CATEGORY_PREFERENCE.value, subject.in_(names.categories)),
        sa.and_(tag == TagName.BRAND_PREFERENCE.value, subject.in_({name for _, name in names.brands})),
        sa.and_(tag == TagName.STAGE.value, subject.in_(stages)),
    )
