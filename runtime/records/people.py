"""People as records: their identities, the evidence that joined them, and a log of who became whom.

Rows about somebody keep the pseudonym of the identity that they were made by. What changes when people are joined is
only ``identities.person``: the ref of the identity of a person that was seen first. So a join moves no visit, coupon,
cap or point, and taking it back restores all of them.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

from kernel.clock import from_epoch_us, to_epoch_us
from kernel.errors import NotFoundError
from kernel.ids import PersonRef, TenantId, derive_id
from members.identity import Identity, IdentityKind
from members.join import CROWD, Evidence, Strength, join_people, may_join, weight_of
from runtime.records.schema import identities, identity_links, person_changes, unsettled_identities
from runtime.records.upsert import upsert, write_rows

_DAY_US = 86_400_000_000
_AT_ONCE = 400
"""Refs a statement: SQLite takes 32,766 variables, and a plan for fewer is read faster."""
_ASKED_FIRST = (
    IdentityKind.APP,
    IdentityKind.PHONE,
    IdentityKind.MAKER,
    IdentityKind.LOYALTY,
    IdentityKind.PARTNER,
    IdentityKind.BIOMETRIC,
    IdentityKind.PAYMENT,
    IdentityKind.PLATE,
)
"""Whose event it is where its ids are of several people: the id that its owner proved, before what is lent."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Ids that came together in one event, and where from."""

    together: tuple[Identity, ...]
    strength: Strength
    at: datetime
    source: str


@dataclass(frozen=True, slots=True)
class PersonChange:
    """An identity that is now another person's; ``before`` is None where it was met for the first time."""

    identity: PersonRef
    before: PersonRef | None
    after: PersonRef


@dataclass(frozen=True, slots=True)
class Link:
    """A piece of evidence with its id, as somebody asks for it who takes it back."""

    id: str
    a: IdentityKind
    b: IdentityKind
    strength: Strength
    source: str
    first_at: datetime
    last_at: datetime
    is_undone: bool


def take_seen(
    connection: Connection, tenant: TenantId, seen: Sequence[Seen], now: datetime
) -> tuple[list[PersonRef], list[PersonChange]]:
    """Take evidence into the records, in the caller's transaction; each event once: a repeat is an occasion more.

    Ids that are new to each other are settled at once. More of the same seldom changes who is who, and waits for
    ``settle_rest``; after it, the order of events has changed nobody.

    Returns:
        Whose each event is, by the id that its owner proved; and who became whom.
    """
    refs = {one.ref: one for event in seen for one in event.together}
    known = people_of(connection, tenant, refs)
    first_us: dict[PersonRef, int] = {}
    for event in seen:
        for one in event.together:
            first_us[one.ref] = min(to_epoch_us(event.at), first_us.get(one.ref, to_epoch_us(event.at)))
    moved = _store_identities(connection, tenant, refs, known, first_us)
    met, waiting = _store_links(connection, tenant, seen)
    _wait(connection, tenant, waiting - met.keys() - moved)
    changes = _settle(connection, tenant, moved | met.keys(), now, seen[0].source if seen else "", met)
    return [_asked_first(event.together).ref for event in seen], changes


def settle_rest(connection: Connection, tenant: TenantId, most: int, now: datetime) -> tuple[int, list[PersonChange]]:
    """Settle some of the ids that more of the same evidence was told of; how many, and who became whom."""
    query = sa.select(unsettled_identities.c.ref).where(unsettled_identities.c.tenant_id == tenant)
    refs = {
        PersonRef(ref) for ref in connection.execute(query.order_by(unsettled_identities.c.ref).limit(most)).scalars()
    }
    for start in range(0, len(refs), _AT_ONCE):
        part = sorted(refs)[start : start + _AT_ONCE]
        connection.execute(unsettled_identities.delete().where(unsettled_identities.c.ref.in_(part)))
    return len(refs), _settle(connection, tenant, refs, now, "more of the same evidence")


def newest_change(connection: Connection, tenant: TenantId) -> int:
    """The number of the last time that somebody of a tenant became another's; 0 where nobody has."""
    query = sa.select(sa.func.max(person_changes.c.sequence)).where(person_changes.c.tenant_id == tenant)
    return connection.execute(query).scalar() or 0


def forget_identity(connection: Connection, tenant: TenantId, ref: PersonRef, now: datetime) -> None:
    """An identity goes with all evidence of it; whom it had joined are as without it."""
    if not people_of(connection, tenant, [ref]):
        return
    others = connection.execute(
        sa.select(identity_links.c.a, identity_links.c.b).where(
            sa.or_(identity_links.c.a == ref, identity_links.c.b == ref)
        )
    ).all()
    connection.execute(identity_links.delete().where(sa.or_(identity_links.c.a == ref, identity_links.c.b == ref)))
    for column in (person_changes.c.identity, person_changes.c.person_before, person_changes.c.person_after):
        connection.execute(person_changes.delete().where(column == ref))
    connection.execute(unsettled_identities.delete().where(unsettled_identities.c.ref == ref))
    connection.execute(identities.delete().where(identities.c.ref == ref))
    met = {PersonRef(side) for row in others for side in (row.a, row.b)} - {ref}
    _settle(connection, tenant, met, now, "an identity was withdrawn")


def _wait(connection: Connection, tenant: TenantId, refs: set[PersonRef]) -> None:
    write_rows(
        connection, unsettled_identities, [{"ref": ref, "tenant_id": tenant} for ref in sorted(refs)], "keep", "ref"
    )


def _asked_first(together: Sequence[Identity]) -> Identity:
    return min(together, key=lambda one: (_ASKED_FIRST.index(one.kind), one.ref))


def people_of(connection: Connection, tenant: TenantId, refs: Iterable[PersonRef]) -> dict[PersonRef, PersonRef]:
    """The person of each of these identities that is known, in one statement with one variable."""
    query = sa.select(identities.c.ref, identities.c.person).where(
        identities.c.tenant_id == tenant, identities.c.ref.in_(listed(connection, sorted(refs)))
    )
    return {PersonRef(ref): PersonRef(person) for ref, person in connection.execute(query).all()}


def listed(connection: Connection, values: Sequence[str]) -> sa.Select[tuple[str]]:
    """Many values as one variable: a statement with one for each is built and planned anew for each number of them."""
    text = msgspec.json.encode(values).decode()
    if connection.dialect.name == "postgresql":
        return sa.select(sa.func.jsonb_array_elements_text(sa.cast(text, postgresql.JSONB)).column_valued("value"))
    return sa.select(sa.func.json_each(text).table_valued("value").c.value)


def identities_of(connection: Connection, tenant: TenantId, person: PersonRef) -> list[Identity]:
    """All identities of a person, the one seen first in front; itself where nothing is known but a phone."""
    rows = connection.execute(
        sa.select(identities)
        .where(identities.c.person == person, identities.c.tenant_id == tenant)
        .order_by(identities.c.first_us, identities.c.ref)
    )
    held = [Identity(PersonRef(row.ref), IdentityKind(row.kind), row.issuer) for row in rows]
    return held or [Identity(person, IdentityKind.MAKER)]


def kin_of(
    connection: Connection, tenant: TenantId, refs: Collection[PersonRef]
) -> dict[PersonRef, tuple[PersonRef, ...]]:
    """For each of these identities all that are the same person's, itself among them."""
    people = people_of(connection, tenant, refs)
    kin: dict[PersonRef, list[PersonRef]] = defaultdict(list)
    wanted = sorted(set(people.values()))
    for start in range(0, len(wanted), _AT_ONCE):
        rows = connection.execute(
            sa.select(identities.c.ref, identities.c.person)
            .where(identities.c.person.in_(wanted[start : start + _AT_ONCE]), identities.c.tenant_id == tenant)
            .order_by(identities.c.first_us, identities.c.ref)
        )
        for ref, person in rows:
            kin[PersonRef(person)].append(PersonRef(ref))
    return {ref: tuple(kin[people[ref]]) if ref in people else (ref,) for ref in refs}


def links_of(connection: Connection, tenant: TenantId, person: PersonRef) -> list[Link]:
    """The evidence about a person's identities, also that which was taken back, the newest first."""
    own = [one.ref for one in identities_of(connection, tenant, person)]
    a, b = identities.alias(), identities.alias()
    rows = connection.execute(
        sa.select(identity_links, a.c.kind.label("kind_a"), b.c.kind.label("kind_b"))
        .join(a, a.c.ref == identity_links.c.a)
        .join(b, b.c.ref == identity_links.c.b)
        .where(identity_links.c.tenant_id == tenant, sa.or_(identity_links.c.a.in_(own), identity_links.c.b.in_(own)))
        .order_by(identity_links.c.last_us.desc(), identity_links.c.id)
    )
    return [
        Link(
            row.id,
            IdentityKind(row.kind_a),
            IdentityKind(row.kind_b),
            Strength(row.strength),
            row.source,
            from_epoch_us(row.first_us),
            from_epoch_us(row.last_us),
            row.undone_us is not None,
        )
        for row in rows
    ]


def undo_link(connection: Connection, tenant: TenantId, link_id: str, now: datetime, source: str) -> list[PersonChange]:
    """Take evidence back, for good: coming again it counts for nothing. Whoever it joined is as without it.

    Raises:
        NotFoundError: no such evidence.
    """
    row = connection.execute(
        sa.select(identity_links).where(identity_links.c.id == link_id, identity_links.c.tenant_id == tenant)
    ).first()
    if row is None:
        raise NotFoundError("there is no such link")
    if row.undone_us is None:
        connection.execute(
            identity_links.update().where(identity_links.c.id == link_id).values(undone_us=to_epoch_us(now))
        )
    return _settle(connection, tenant, {PersonRef(row.a), PersonRef(row.b)}, now, source)


def _store_identities(
    connection: Connection,
    tenant: TenantId,
    refs: Mapping[PersonRef, Identity],
    known: Mapping[PersonRef, PersonRef],
    first_us: Mapping[PersonRef, int],
) -> set[PersonRef]:
    """Those that are new, or were seen earlier than is known."""
    new = [one for ref, one in refs.items() if ref not in known]
    write_rows(
        connection,
        identities,
        [
            {
                "ref": one.ref,
                "tenant_id": tenant,
                "kind": one.kind.value,
                "issuer": one.issuer,
                "person": "",
                "first_us": first_us[one.ref],
            }
            for one in new
        ],
        "keep",
        "ref",
    )
    moved = {one.ref for one in new}
    held = [ref for ref in refs if ref in known]
    for start in range(0, len(held), _AT_ONCE):
        rows = connection.execute(
            sa.select(identities.c.ref, identities.c.first_us).where(
                identities.c.ref.in_(held[start : start + _AT_ONCE])
            )
        )
        earlier = [PersonRef(ref) for ref, us in rows if first_us[PersonRef(ref)] < us]
        for ref in earlier:
            connection.execute(identities.update().where(identities.c.ref == ref).values(first_us=first_us[ref]))
        moved |= set(earlier)
    return moved


def _store_links(
    connection: Connection, tenant: TenantId, seen: Sequence[Seen]
) -> tuple[Counter[PersonRef], set[PersonRef]]:
    """The ids that are new to each other, each with to how many; and those whose evidence says more than it did."""
    spans: dict[_Pair, _Span] = {}
    for event in seen:
        at_us = to_epoch_us(event.at)
        for one, other in combinations(sorted({one.ref for one in event.together}), 2):
            key = one, other, event.strength
            spans[key] = _Span(at_us, at_us, 1, event.source).with_more(spans.get(key))
    held = _spans_held(connection, spans)
    met: Counter[PersonRef] = Counter()
    waiting: set[PersonRef] = set()
    rows: list[dict[str, object]] = []
    for key, span in spans.items():
        was = held.get(key)
        now = span.with_more(was)
        if was is None:
            met.update(key[:2])
        elif was.says != now.says:
            waiting.update(key[:2])
        rows.append(
            {
                "id": derive_id("lnk", *key),
                "tenant_id": tenant,
                "a": key[0],
                "b": key[1],
                "strength": key[2].value,
                "source": now.source,
                "first_us": now.first_us,
                "last_us": now.last_us,
                "occasions": now.occasions,
                "undone_us": now.undone_us,
            }
        )
    upsert(connection, identity_links, rows)
    return met, waiting


_Pair = tuple[PersonRef, PersonRef, Strength]


@dataclass(frozen=True, slots=True)
class _Span:
    first_us: int
    last_us: int
    occasions: int
    source: str
    undone_us: int | None = None

    @property
    def says(self) -> tuple[int, int, int]:
        """What the rules may see of it: days and a weight; the same again says nothing new."""
        return self.first_us // _DAY_US, self.last_us // _DAY_US, weight_of(self.occasions)

    def with_more(self, other: "_Span | None") -> "_Span":
        """Both together, under the other's source, which came before."""
        if other is None:
            return self
        return _Span(
            min(self.first_us, other.first_us),
            max(self.last_us, other.last_us),
            self.occasions + other.occasions,
            other.source,
            other.undone_us,
        )


def _spans_held(connection: Connection, wanted: Iterable[_Pair]) -> dict[_Pair, _Span]:
    lower = sorted({a for a, _, _ in wanted})
    held: dict[_Pair, _Span] = {}
    for start in range(0, len(lower), _AT_ONCE):
        for row in connection.execute(
            sa.select(identity_links).where(identity_links.c.a.in_(lower[start : start + _AT_ONCE]))
        ):
            key = PersonRef(row.a), PersonRef(row.b), Strength(row.strength)
            held[key] = _Span(row.first_us, row.last_us, row.occasions, row.source, row.undone_us)
    return held


def _settle(
    connection: Connection,
    tenant: TenantId,
    moved: set[PersonRef],
    now: datetime,
    source: str,
    met: Mapping[PersonRef, int] | None = None,
) -> list[PersonChange]:
    """Put anew together whoever the evidence of these ids can join, and write down who became whom.

    Args:
        met: how many others some of these ids have met just now.
    """
    if not moved:
        return []
    evidence, settled = _reach(connection, tenant, moved, met or {})
    involved = moved | {side for a, b, *_ in evidence for side in (a, b)}
    rows = _rows_of(connection, involved)
    identity = {ref: Identity(ref, IdentityKind(row.kind), row.issuer) for ref, row in rows.items()}
    told = join_people(
        list(identity.values()),
        [
            Evidence(identity[a], identity[b], strength, from_epoch_us(low), from_epoch_us(high), occasions)
            for a, b, strength, low, high, occasions in evidence
        ],
    )
    changes: list[PersonChange] = []
    for person in told.people:
        if not person & settled:
            continue  # beyond a crowd: its own evidence was not read
        after = min(person, key=lambda ref: (rows[ref].first_us, ref))
        for ref in sorted(person):
            if rows[ref].person != after:
                changes.append(PersonChange(ref, PersonRef(rows[ref].person) if rows[ref].person else None, after))
    if changes:
        connection.execute(
            identities.update().where(identities.c.ref == sa.bindparam("of")).values(person=sa.bindparam("now")),
            [{"of": change.identity, "now": change.after} for change in changes],
        )
        connection.execute(
            person_changes.insert(),
            [
                {
                    "tenant_id": tenant,
                    "identity": change.identity,
                    "person_before": change.before,
                    "person_after": change.after,
                    "at_us": to_epoch_us(now),
                    "source": source,
                }
                for change in changes
            ],
        )
    return changes


_Piece = tuple[PersonRef, PersonRef, Strength, int, int, int]


def _reach(
    connection: Connection, tenant: TenantId, start: set[PersonRef], met: Mapping[PersonRef, int]
) -> tuple[set[_Piece], set[PersonRef]]:
    """The evidence that hangs together with these ids, and the ids all of whose evidence is among it.

    It is followed where it may join: not where two ids were seen together once, and not through an id of a crowd, but
    for one that was none before it met these. So it is some tens of ids, however large the mall.
    """
    evidence: set[_Piece] = set()
    read: set[PersonRef] = set()
    front = set(start)
    while front:
        of_ref: dict[PersonRef, set[PersonRef]] = defaultdict(set)
        leads: dict[PersonRef, set[PersonRef]] = defaultdict(set)
        asked = sorted(front)
        for at in range(0, len(asked), _AT_ONCE):
            part = asked[at : at + _AT_ONCE]
            for row in connection.execute(
                sa.select(identity_links).where(
                    identity_links.c.tenant_id == tenant,
                    identity_links.c.undone_us.is_(None),
                    sa.or_(identity_links.c.a.in_(part), identity_links.c.b.in_(part)),
                )
            ):
                a, b = PersonRef(row.a), PersonRef(row.b)
                evidence.add((a, b, Strength(row.strength), row.first_us, row.last_us, row.occasions))
                of_ref[a].add(b)
                of_ref[b].add(a)
                if may_join(Strength(row.strength), row.last_us - row.first_us):
                    leads[a].add(b)
                    leads[b].add(a)
        read |= front
        front = {other for ref in front if len(of_ref[ref]) - met.get(ref, 0) <= CROWD for other in leads[ref]} - read
    return evidence, read


def _rows_of(connection: Connection, refs: Collection[PersonRef]) -> dict[PersonRef, sa.Row[tuple[object, ...]]]:
    wanted, rows = sorted(refs), dict[PersonRef, sa.Row[tuple[object, ...]]]()
    for start in range(0, len(wanted), _AT_ONCE):
        for row in connection.execute(
            sa.select(identities).where(identities.c.ref.in_(wanted[start : start + _AT_ONCE]))
        ):
            rows[PersonRef(row.ref)] = row
    return rows
