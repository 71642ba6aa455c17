"""Rhythm at rest: when each person came to a venue and to its categories, what a night judged of it, and its models."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isnan
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kernel.clock import from_epoch_us, to_epoch_us
from kernel.ids import PersonRef, TenantId, VenueId
from runtime.records.schema import rhythm_models, rhythm_states
from runtime.records.upsert import upsert
from scenes.rhythm.bgnbd import BgNbd
from scenes.rhythm.errors import NotConvergedError, TooFewVisitsError
from scenes.rhythm.nightly import RhythmKey, RhythmModel, RhythmModels
from scenes.rhythm.regularity import Regularity

READ_AT_ONCE = 10_000
"""Rows of a key taken from the database together while its model is fitted."""


@dataclass(frozen=True, slots=True)
class Cadence:
    """One person's ``scenes.rhythm.cadence`` state at one key, twice.

    Args:
        settled: of the days that no late scan can change any more.
        state: with the days since, as of last night.
    """

    person: PersonRef
    key: RhythmKey
    settled: bytes
    state: bytes
    judged_day: int


@dataclass(frozen=True, slots=True)
class Judged:
    """What a night says of one person at one key; ``band`` is None where there is no rhythm."""

    person: PersonRef
    key: RhythmKey
    state: bytes
    band: str | None
    ratio: float | None
    expected_day: float | None
    p_active: float | None
    p_return_28d: float | None


def cadences_of(connection: Connection, tenant: TenantId, people: Collection[PersonRef]) -> list[Cadence]:
    """All that is kept of these people."""
    mine = rhythm_states.c.tenant_id == tenant, rhythm_states.c.person.in_(list(people))
    return [_cadence(row) for row in connection.execute(sa.select(rhythm_states).where(*mine))]


def store_cadences(connection: Connection, tenant: TenantId, cadences: Sequence[Cadence]) -> None:
    """Write cadences over the old ones; what was judged before falls with them."""
    nothing = dict.fromkeys(("band", "ratio", "expected_day", "p_active", "p_return_28d"))
    rows = [_place(tenant, one.key, one.person) | _bytes(one) | nothing for one in cadences]
    upsert(connection, rhythm_states, rows)


def drop_cadences(connection: Connection, tenant: TenantId, gone: Sequence[Cadence]) -> None:
    """Drop those whose every day was taken back."""
    for one in gone:
        mine = [rhythm_states.c[name] == value for name, value in _place(tenant, one.key, one.person).items()]
        connection.execute(rhythm_states.delete().where(*mine))


def next_unjudged(connection: Connection, tenant: TenantId, day: int, limit: int) -> list[Cadence]:
    """Some of one key's states that were not judged at ``day`` yet; none at the end."""
    waiting = rhythm_states.c.tenant_id == tenant, rhythm_states.c.judged_day < day
    columns = rhythm_states.c.judged_day, rhythm_states.c.venue_id, rhythm_states.c.category
    first = connection.execute(sa.select(*columns).where(*waiting).order_by(*columns).limit(1)).first()
    if first is None:
        return []
    of_key = [column == value for column, value in zip(columns, first, strict=True)]
    query = sa.select(rhythm_states).where(rhythm_states.c.tenant_id == tenant, *of_key)
    return [_cadence(row) for row in connection.execute(query.order_by(rhythm_states.c.person).limit(limit))]


def states_of_key(connection: Connection, tenant: TenantId, key: RhythmKey) -> bytes:
    """The states of everybody at a key, one behind the other."""
    rows = connection.execution_options(yield_per=READ_AT_ONCE).execute(
        sa.select(rhythm_states.c.state)
        .where(
            rhythm_states.c.tenant_id == tenant,
            rhythm_states.c.venue_id == key.venue_id,
            rhythm_states.c.category == key.subject,
        )
        .order_by(rhythm_states.c.person)
    )
    return b"".join(rows.scalars())


def store_judged(connection: Connection, tenant: TenantId, judged: Sequence[Judged], day: int) -> None:
    """Write what a night says."""
    if not judged:
        return
    place = [
        rhythm_states.c[name] == sa.bindparam(f"at_{name}") for name in _place(tenant, judged[0].key, PersonRef(""))
    ]
    names = ("state", "band", "ratio", "expected_day", "p_active", "p_return_28d")
    rows = [
        {f"at_{name}": value for name, value in _place(tenant, one.key, one.person).items()}
        | {name: getattr(one, name) for name in names}
        | {"judged_day": day}
        for one in judged
    ]
    connection.execute(rhythm_states.update().where(*place), rows)


def rhythms_of_person(connection: Connection, tenant: TenantId, person: PersonRef) -> list[Judged]:
    """What last night said of one person, where there is a rhythm."""
    mine = rhythm_states.c.tenant_id == tenant, rhythm_states.c.person == person, rhythm_states.c.band.is_not(None)
    query = sa.select(rhythm_states).where(*mine).order_by(rhythm_states.c.venue_id, rhythm_states.c.category)
    return [_judged(row) for row in connection.execute(query)]


def count_bands(connection: Connection, tenant: TenantId) -> list[tuple[VenueId, str, str, int]]:
    """Venue, category, band and how many people are in it."""
    by = rhythm_states.c.venue_id, rhythm_states.c.category, rhythm_states.c.band
    query = sa.select(*by, sa.func.count().label("n")).where(
        rhythm_states.c.tenant_id == tenant, rhythm_states.c.band.is_not(None)
    )
    return [(VenueId(row.venue_id), row.category, row.band, row.n) for row in connection.execute(query.group_by(*by))]


def read_model(connection: Connection, tenant: TenantId, key: RhythmKey) -> RhythmModels | None:
    """The newest model of a key."""
    row = connection.execute(
        sa.select(rhythm_models).where(
            rhythm_models.c.tenant_id == tenant,
            rhythm_models.c.venue_id == key.venue_id,
            rhythm_models.c.category == key.subject,
        )
    ).first()
    if row is None:
        return None
    fitted_at = from_epoch_us(row.figures["fitted_us"])
    return RhythmModels(row.version, fitted_at, row.day, {key: _model(row.figures, fitted_at)})


def store_model(connection: Connection, tenant: TenantId, models: RhythmModels) -> None:
    """Write models over those of the night before."""
    rows = [
        {
            "tenant_id": tenant,
            "venue_id": key.venue_id,
            "category": key.subject,
            "version": models.version,
            "day": models.at_day,
            "figures": _figures(model, models.fitted_at),
        }
        for key, model in models.models.items()
    ]
    upsert(connection, rhythm_models, rows)


def _place(tenant: TenantId, key: RhythmKey, person: PersonRef) -> dict[str, Any]:
    return {"tenant_id": tenant, "venue_id": key.venue_id, "category": key.subject, "person": person}


def _bytes(one: Cadence) -> dict[str, Any]:
    return {"settled": one.settled, "state": one.state, "judged_day": one.judged_day}


def _cadence(row: sa.Row[Any]) -> Cadence:
    key = RhythmKey(VenueId(row.venue_id), row.category)
    return Cadence(PersonRef(row.person), key, row.settled, row.state, row.judged_day)


def _judged(row: sa.Row[Any]) -> Judged:
    key = RhythmKey(VenueId(row.venue_id), row.category)
    return Judged(
        PersonRef(row.person), key, row.state, row.band, row.ratio, row.expected_day, row.p_active, row.p_return_28d
    )


def _figures(model: RhythmModel, fitted_at: datetime) -> dict[str, Any]:
    """A model as JSON; a refusal as what it was refused for."""
    activity, regularity = model.activity, model.regularity
    out: dict[str, Any] = {"fitted_us": to_epoch_us(fitted_at)}
    out["mean_gap_days"] = None if isnan(model.mean_gap_days) else model.mean_gap_days  # NaN where nobody came twice
    if isinstance(activity, BgNbd):
        names = ("r", "alpha", "a", "b", "n_people", "log_likelihood", "dropout")
        out["activity"] = {name: getattr(activity, name) for name in names}
    elif isinstance(activity, TooFewVisitsError):
        out["activity"] = {"too_few": [activity.what, activity.needed, activity.found]}
    else:
        out["activity"] = {"not_converged": [activity.reason, list(activity.parameters)]}
    if isinstance(regularity, Regularity):
        of_gaps = ("shape", "low", "high", "n_people", "n_pairs")
        out["regularity"] = {name: getattr(regularity, name) for name in of_gaps}
    else:
        out["regularity"] = {"too_few": [regularity.what, regularity.needed, regularity.found]}
    return out


def _model(figures: dict[str, Any], fitted_at: datetime) -> RhythmModel:
    activity: BgNbd | TooFewVisitsError | NotConvergedError
    found = figures["activity"]
    if "too_few" in found:
        activity = TooFewVisitsError(*found["too_few"])
    elif "not_converged" in found:
        reason, parameters = found["not_converged"]
        activity = NotConvergedError(reason, tuple(parameters))
    else:
        activity = BgNbd(fitted_at=fitted_at, **found)
    told = figures["regularity"]
    regularity = TooFewVisitsError(*told["too_few"]) if "too_few" in told else Regularity(**told)
    mean = figures["mean_gap_days"]
    return RhythmModel(activity, regularity, float("nan") if mean is None else mean)
