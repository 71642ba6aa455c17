"""Devices and their consents. A consent that is no longer in the list is withdrawn, never erased: it is proof."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kernel.clock import from_epoch_us, to_epoch_us
from kernel.ids import DeviceRef, PersonRef, TenantId
from members.device import AgeBand, Consent, Device, Purpose, allowance_of
from runtime.records.people import forget_identity
from runtime.records.schema import answers, consents, devices, fixes, scenes, tracks
from runtime.records.tags import forget_person


def put_device(connection: Connection, tenant: TenantId, device: Device, at: datetime) -> None:
    """Store a device and exactly these consents; those in force that are not among them end now.

    Where they no longer allow tags, all that was learnt of the person goes with them, in the same transaction.
    """
    now_us = to_epoch_us(at)
    values = {
        "tenant_id": tenant,
        "person": device.person,
        "model": device.model,
        "locale": device.locale,
        "time_zone": device.time_zone,
        "age_band": device.age_band.value,
        "updated_us": now_us,
    }
    updated = connection.execute(devices.update().where(devices.c.ref == device.ref).values(**values))
    if updated.rowcount == 0:
        connection.execute(devices.insert().values(ref=device.ref, **values))
    given = {(consent.purpose.value, to_epoch_us(consent.at)): consent for consent in device.consents}
    rows = connection.execute(sa.select(consents).where(consents.c.device_ref == device.ref)).all()
    for row in rows:
        if (row.purpose, row.at_us) not in given and row.withdrawn_us is None:
            connection.execute(_one(device.ref, row.purpose, row.at_us).values(withdrawn_us=now_us))
    known = {(row.purpose, row.at_us): row for row in rows}
    for (purpose, at_us), consent in given.items():
        if (purpose, at_us) in known:
            connection.execute(_one(device.ref, purpose, at_us).values(withdrawn_us=None, version=consent.version))
        else:
            connection.execute(
                consents.insert().values(
                    tenant_id=tenant,
                    device_ref=device.ref,
                    purpose=purpose,
                    version=consent.version,
                    at_us=at_us,
                    recorded_us=now_us,
                )
            )

    allowed = allowance_of(device)
    if not allowed.keeps_tags:
        forget_person(connection, tenant, device.person)
    if not allowed.keeps_visits and device.age_band not in {AgeBand.CHILD, AgeBand.UNKNOWN}:
        forget_identity(connection, tenant, device.person, at)  # of a child it stays known whom to leave alone


def _one(ref: DeviceRef, purpose: str, at_us: int) -> sa.Update:
    return consents.update().where(
        consents.c.device_ref == ref, consents.c.purpose == purpose, consents.c.at_us == at_us
    )


def get_devices(connection: Connection, tenant: TenantId, refs: Collection[DeviceRef]) -> dict[DeviceRef, Device]:
    """The devices of a tenant among ``refs``, with the consents in force."""
    if not refs:
        return {}
    rows = connection.execute(
        sa.select(devices).where(devices.c.tenant_id == tenant, devices.c.ref.in_(list(refs)))
    ).all()
    held = connection.execute(
        sa.select(consents)
        .where(consents.c.device_ref.in_([row.ref for row in rows]), consents.c.withdrawn_us.is_(None))
        .order_by(consents.c.purpose)
    ).all()
    by_device: dict[str, list[Consent]] = {}
    for row in held:
        consent = Consent(Purpose(row.purpose), row.version, from_epoch_us(row.at_us))
        by_device.setdefault(row.device_ref, []).append(consent)
    return {
        DeviceRef(row.ref): Device(
            ref=DeviceRef(row.ref),
            person=PersonRef(row.person),
            age_band=AgeBand(row.age_band),
            consents=tuple(by_device.get(row.ref, ())),
            model=row.model,
            locale=row.locale,
            time_zone=row.time_zone,
        )
        for row in rows
    }


def traces_without_consent(connection: Connection) -> list[tuple[TenantId, DeviceRef]]:
    """Phones of whom something is held though no consent to visits is in force, or their age forbids.

    Held may be a scene, a track, fixes or answers. Such a phone withdrew, and the server stopped before
    it acted on that. Each device is looked at, and four indexes for those without consent.
    """
    is_held = [sa.exists().where(table.c.device_ref == devices.c.ref) for table in (scenes, tracks, fixes, answers)]
    consents_to_visits = sa.exists().where(
        consents.c.device_ref == devices.c.ref,
        consents.c.purpose == Purpose.VISITS.value,
        consents.c.withdrawn_us.is_(None),
    )
    forbids = devices.c.age_band.in_([AgeBand.CHILD.value, AgeBand.UNKNOWN.value])
    rows = connection.execute(
        sa.select(devices.c.tenant_id, devices.c.ref).where(sa.or_(~consents_to_visits, forbids), sa.or_(*is_held))
    )
    return [(TenantId(row.tenant_id), DeviceRef(row.ref)) for row in rows]


def devices_of(connection: Connection, tenant: TenantId, people: Collection[PersonRef]) -> dict[PersonRef, Device]:
    """The device of each of these people: one person a phone, until identities join persons."""
    query = sa.select(devices.c.ref).where(devices.c.tenant_id == tenant, devices.c.person.in_(list(people)))
    found = get_devices(connection, tenant, [DeviceRef(ref) for ref in connection.execute(query).scalars()])
    return {device.person: device for device in found.values()}
