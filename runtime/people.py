"""Desks for people: who is known by what, who looked, all that is held of somebody, and its end."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from api.ports import AccessRow, Caller, IdentityRow, LinkRow, PersonView
from kernel.clock import EPOCH, Clock, from_epoch_us, to_epoch_us
from kernel.errors import NotFoundError
from kernel.ids import DeviceId, DeviceRef, PersonRef, TenantId, derive_id
from members.device import AgeBand, Purpose, allowance_of, device_ref, person_ref
from members.errors import BiometricRefusedError, EvidenceRefusedError, PurposeRefusedError
from members.identity import Identity, IdentityKind, identity_of
from members.join import Strength
from members.tiers import Tier, tier_of
from runtime.clocks import SystemClock
from runtime.database import Database
from runtime.engine import ScanEngine
from runtime.points_expiry import forfeit
from runtime.records.devices import get_devices
from runtime.records.erasure import erase, gather, is_known, whole_person
from runtime.records.events import append_events
from runtime.records.people import (
    PersonChange,
    Seen,
    identities_of,
    kin_of,
    links_of,
    people_of,
    settle_rest,
    take_seen,
    undo_link,
)
from runtime.records.schema import accesses, consents, devices, identities
from runtime.records.tenants import tenant_settings

_WALL = SystemClock()
OLDEST_EVIDENCE: Final = timedelta(days=400)
"""A till without network, or a list of a year ago; older would come before what is known, and win over it."""
CLOCK_TOLERANCE: Final = timedelta(minutes=5)


class JoinedPeople:
    """Takes ids that came together, within whatever transaction brought them. No id's text is kept."""

    def __init__(self, people_key: bytes) -> None:
        self._key = people_key

    def identify(
        self, connection: Connection, tenant: TenantId, ids: Sequence[tuple[IdentityKind, str]]
    ) -> tuple[Identity, ...]:
        """The identities that these texts name, but phones whose owners allow no visits: of those nothing is kept.

        Raises:
            IdentityRefusedError: one is no id of its kind.
        """
        region = tenant_settings(connection, tenant).region
        named = [identity_of(tenant, kind, text, self._key, region) for kind, text in ids]
        phones = {
            device_ref(tenant, DeviceId(text), self._key): one
            for (kind, text), one in zip(ids, named, strict=True)
            if kind is IdentityKind.MAKER
        }
        known = get_devices(connection, tenant, list(phones))
        silent = {one for ref, one in phones.items() if not allowance_of(known.get(ref)).keeps_visits}
        return tuple(one for one in dict.fromkeys(named) if one not in silent)

    def take(
        self, connection: Connection, tenant: TenantId, seen: Sequence[Seen], now: datetime
    ) -> tuple[list[PersonRef], list[PersonChange]]:
        """Whose each event is; what that changed of people is told in events of the same transaction.

        Raises:
            BiometricRefusedError: a biometric id where the tenant or the person has not switched it on.
        """
        if not all(_may_be_biometric(connection, tenant, event) for event in seen):
            raise BiometricRefusedError("the venue, or the person, has not switched biometric ids on")
        people, changes = take_seen(connection, tenant, seen, now)
        tell_changes(connection, tenant, changes, now)
        return people, changes

    def settle(self, connection: Connection, tenant: TenantId, most: int, now: datetime) -> int:
        """Settle some of the ids that more of the same evidence was told of; how many there were."""
        n, changes = settle_rest(connection, tenant, most, now)
        tell_changes(connection, tenant, changes, now)
        return n

    def person_of(
        self,
        connection: Connection,
        tenant: TenantId,
        ids: Sequence[tuple[IdentityKind, str]],
        at: datetime,
        source: str,
    ) -> PersonRef | None:
        """Whose an event is that names these ids; None where it names none that may be kept.

        Seen together, they are evidence. A biometric id that is not allowed costs nobody a payment: it is passed over.
        """
        together = self.identify(connection, tenant, ids)
        seen = Seen(together, Strength.OBSERVED, at, source)
        if not _may_be_biometric(connection, tenant, seen):
            bare = tuple(one for one in together if one.kind is not IdentityKind.BIOMETRIC)
            seen = Seen(bare, Strength.OBSERVED, at, source)
        if not seen.together or is_of_a_child(connection, tenant, seen.together):
            return None
        return self.take(connection, tenant, [seen], _WALL.now())[0][0]


def is_of_a_child(connection: Connection, tenant: TenantId, together: Sequence[Identity]) -> bool:
    """Whether any phone of the people behind these ids is a child's or of unknown age."""
    kin = kin_of(connection, tenant, [one.ref for one in together])
    refs = {ref for of_one in kin.values() for ref in of_one}
    bands = connection.execute(
        sa.select(devices.c.age_band).where(devices.c.tenant_id == tenant, devices.c.person.in_(sorted(refs)))
    ).scalars()
    return any(AgeBand(band) in {AgeBand.CHILD, AgeBand.UNKNOWN} for band in bands)


def _may_be_biometric(connection: Connection, tenant: TenantId, event: Seen) -> bool:
    """Whether no id is biometric, or the tenant takes those and an adult's phone came along that allows it."""
    if all(one.kind is not IdentityKind.BIOMETRIC for one in event.together):
        return True
    phones = [one.ref for one in event.together if one.kind is IdentityKind.MAKER]
    return tenant_settings(connection, tenant).takes_biometric and allows(connection, tenant, phones, Purpose.BIOMETRIC)


def allows(connection: Connection, tenant: TenantId, refs: Sequence[PersonRef], purpose: Purpose) -> bool:
    """Whether somebody known by these allowed a purpose, and none of their phones is a child's or of unknown age."""
    held = connection.execute(
        sa.select(devices.c.ref, devices.c.age_band).where(
            devices.c.tenant_id == tenant, devices.c.person.in_(list(refs))
        )
    ).all()
    if any(AgeBand(row.age_band) in {AgeBand.CHILD, AgeBand.UNKNOWN} for row in held):
        return False
    names = [*refs, *(row.ref for row in held)]
    given = connection.execute(
        sa.select(consents.c.at_us).where(
            consents.c.tenant_id == tenant,
            consents.c.device_ref.in_(names),
            consents.c.purpose == purpose.value,
            consents.c.withdrawn_us.is_(None),
        )
    )
    return given.first() is not None


def tell_changes(connection: Connection, tenant: TenantId, changes: Sequence[PersonChange], now: datetime) -> None:
    """``person.created`` for who is new, ``person.merged`` for who is one with another now, ``person.upgraded``."""
    rows: list[dict[str, Any]] = []
    for person in sorted({change.after for change in changes}):
        of_person = [change for change in changes if change.after == person]
        held = identities_of(connection, tenant, person)
        tier = tier_of(held)
        moved = {change.identity for change in of_person}
        was = tier_of([one for one in held if one.ref not in moved])
        before = {change.before for change in of_person}
        stayed = {one.ref for one in held} - moved
        former = {one for one in before if one is not None} | ({person} if stayed else set())
        names = []
        if len(former) > 1:
            names.append("person.merged")
        elif before == {None} and not stayed:
            names.append("person.created")
        if tier is not was and tier is not Tier.VISITOR:
            names.append("person.upgraded")
        at = now.isoformat()
        for name in names:
            data = {"tier": tier.value, "kinds": sorted({one.kind.value for one in held}), "ids": len(held)}
            rows.append(
                {
                    "id": derive_id("evt", person, name, at, str(len(held))),
                    "tenant_id": tenant,
                    "type": name,
                    "occurred_us": to_epoch_us(now),
                    "recorded_us": to_epoch_us(_WALL.now()),
                    "person": person,
                    "data": data,
                }
            )
    append_events(connection, tenant, rows)


def latest(clock: Clock) -> datetime:
    """The clock's instant; the machine's while a clock of events has seen nothing."""
    now = clock.now()
    return _WALL.now() if now == EPOCH else now


class PeopleDesk:
    """What the HTTP layer asks about people."""

    def __init__(self, database: Database, engine: ScanEngine, people_key: bytes, clock: Clock) -> None:
        self._database, self._engine, self._key, self._clock = database, engine, people_key, clock
        self.book = JoinedPeople(people_key)
        self.log_is_empty = True
        """Whether nothing that was erased waits in the database's log; the worker tries again while it does."""

    def see(
        self,
        caller: Caller,
        ids: Sequence[tuple[IdentityKind, str]],
        strength: Strength,
        source: str,
        at: datetime,
    ) -> tuple[PersonRef, Tier]:
        """Take ids that came together; whose they are.

        Raises:
            EvidenceRefusedError: it is dated ahead, or so far back that it would come before all that is known.
        """
        now = latest(self._clock)
        if not now - OLDEST_EVIDENCE <= at <= now + CLOCK_TOLERANCE:
            raise EvidenceRefusedError(at, now)
        with self._database.write() as connection:
            together = self.book.identify(connection, caller.tenant, ids)
            if not together:
                raise PurposeRefusedError("the owner of this phone has not allowed visits; nothing was kept")
            if is_of_a_child(connection, caller.tenant, together):
                raise PurposeRefusedError("this person is a child, or of unknown age; nothing was kept")
            seen = Seen(together, strength, at, source)
            (person,), _ = self.book.take(connection, caller.tenant, [seen], _WALL.now())
            whose = people_of(connection, caller.tenant, [person])[person]
            return person, tier_of(identities_of(connection, caller.tenant, whose))

    def find(self, caller: Caller, kind: IdentityKind, text: str, purpose: Purpose) -> PersonView:
        """Who has this id, by what else they are known and why; written into their own log.

        Raises:
            NotFoundError: nobody.
            PurposeRefusedError: the person has not allowed the purpose, or may be a child.
        """
        with self._database.write() as connection:
            asked = self.book.identify(connection, caller.tenant, [(kind, text)])
            person = next(iter(people_of(connection, caller.tenant, [one.ref for one in asked]).values()), None)
            if person is None:
                raise NotFoundError("nobody is known by this id")
            held = identities_of(connection, caller.tenant, person)
            if not allows(connection, caller.tenant, [one.ref for one in held], purpose):
                raise PurposeRefusedError(f"this person has not allowed {purpose.value}")
            _write_access(connection, caller, person, purpose.value, "identities")
            query = sa.select(identities.c.ref, identities.c.first_us).where(identities.c.person == person)
            first = {row.ref: row.first_us for row in connection.execute(query)}
            return PersonView(
                person,
                tier_of(held),
                [IdentityRow(one.kind, one.issuer or None, from_epoch_us(first[one.ref])) for one in held],
                [
                    LinkRow(
                        link.id,
                        (link.a, link.b),
                        link.strength,
                        link.source,
                        link.first_at,
                        link.last_at,
                        link.is_undone,
                    )
                    for link in links_of(connection, caller.tenant, person)
                ],
            )

    def undo(self, caller: Caller, link_id: str, reason: str) -> int:
        """Take evidence back for good; how many identities are another person's now."""
        with self._database.write() as connection:
            changes = undo_link(connection, caller.tenant, link_id, _WALL.now(), f"{caller.key_id}: {reason}"[:200])
        return len(changes)

    def accesses(self, tenant: TenantId, device_id: DeviceId) -> Sequence[AccessRow]:
        """Who looked at the person behind a phone, newest first."""
        with self._database.read() as connection:
            whole = whole_person(connection, tenant, person_ref(tenant, device_id, self._key))
            rows = connection.execute(
                sa.select(accesses)
                .where(accesses.c.tenant_id == tenant, accesses.c.person.in_(whole.people))
                .order_by(accesses.c.at_us.desc(), accesses.c.sequence.desc())
                .limit(1_000)
            )
            return [AccessRow(from_epoch_us(row.at_us), row.role, row.purpose, row.what) for row in rows]

    def export(self, caller: Caller, device_id: DeviceId) -> dict[str, list[dict[str, Any]]]:
        """All that is held of the person behind a phone, that phone's own data and what was inferred from it."""
        with self._database.write() as connection:
            whole = whole_person(connection, caller.tenant, person_ref(caller.tenant, device_id, self._key))
            if not is_known(connection, caller.tenant, whole):
                raise NotFoundError("nothing is held of this phone's owner")
            found = gather(connection, caller.tenant, whole)
            _write_access(connection, caller, whole.people[0], "export", "all")
            return found

    def erase(self, tenant: TenantId, device_id: DeviceId) -> dict[str, dict[str, int]]:
        """Erase the person behind a phone, with all their phones and ids; what went and what is kept nameless."""
        ref, receipt = person_ref(tenant, device_id, self._key), dict[str, dict[str, int]]()
        with self._database.read() as connection:  # a stranger costs no transaction
            if not is_known(connection, tenant, whole_person(connection, tenant, ref)):
                raise NotFoundError("nothing is held of this phone's owner")

        def do() -> Collection[DeviceRef]:
            with self._database.write() as connection:
                whole = whole_person(connection, tenant, ref)  # as it is now
                forfeit(connection, tenant, whole.people, _WALL.now())
                receipt.update(erase(connection, tenant, whole))
            return whole.phones

        self._engine.forget(tenant, do)
        self.log_is_empty = self._database.empty_log()
        return receipt


def _write_access(connection: Connection, caller: Caller, person: PersonRef, purpose: str, what: str) -> None:
    connection.execute(
        accesses.insert().values(
            tenant_id=caller.tenant,
            person=person,
            at_us=to_epoch_us(_WALL.now()),
            key_id=caller.key_id,
            role=caller.role.value,
            purpose=purpose,
            what=what,
        )
    )
