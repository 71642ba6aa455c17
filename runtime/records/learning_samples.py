"""Learning samples: a store, transmitters and powers, the day, a class of phones. No phone, person, visit or hour."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fingerprints.scan import Reading, Scan
from kernel.ids import DeviceId, StoreId, TenantId, TransmitterId, VenueId
from positioning.confirmed import ConfirmedScan
from runtime.database import Database
from runtime.records.schema import learning_samples
from runtime.records.upsert import write_rows
from runtime.waiting_scans import WaitingScan

KEPT_SAMPLES: Final = timedelta(days=90)


def store_sample(connection: Connection, tenant: TenantId, scan: WaitingScan, store_id: StoreId, day: date) -> None:
    """Store what a scan teaches; one that was confirmed before stays as it was."""
    row = {
        "id": scan.id,
        "tenant_id": tenant,
        "venue_id": scan.venue_id,
        "store_id": store_id,
        "day": day.isoformat(),
        "phone_class": scan.phone_class,
        "readings": [list(reading) for reading in scan.readings],
    }
    write_rows(connection, learning_samples, [row], "keep", "id")


def drop_old_samples(connection: Connection, now: datetime, at_most: int) -> int:
    """Delete samples that have been kept their time; how many, up to ``at_most``."""
    before = (now - KEPT_SAMPLES).date().isoformat()
    over = sa.select(learning_samples.c.id).where(learning_samples.c.day < before).limit(at_most)
    return connection.execute(learning_samples.delete().where(learning_samples.c.id.in_(over))).rowcount


class StoredPlaces:
    """The samples of days that are over, as ``positioning.ports.ConfirmedPlaces``.

    A day comes whole or not at all: what was learned is known by its last instant. Each sample is dated noon UTC of its
    day, and errs by itself: nothing says which of them are of one phone. Its phone is named by its class, since two
    classes are two phones at least, which is what a new radio must have been heard by.
    """

    def __init__(self, database: Database, tenant: TenantId, today: Callable[[], date]) -> None:
        self._database, self._tenant, self._today = database, tenant, today

    def confirmed(self, venue_id: VenueId) -> list[ConfirmedScan]:
        query = (
            sa.select(learning_samples)
            .where(
                learning_samples.c.tenant_id == self._tenant,
                learning_samples.c.venue_id == venue_id,
                learning_samples.c.day < self._today().isoformat(),
            )
            .order_by(learning_samples.c.day, learning_samples.c.id)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [
            ConfirmedScan(
                Scan(
                    at=datetime.combine(date.fromisoformat(row.day), time(12), UTC),
                    readings=tuple(Reading(TransmitterId(name), float(dbm)) for name, dbm in row.readings),
                    device_id=DeviceId(row.phone_class),
                    venue_id=venue_id,
                ),
                StoreId(row.store_id),
                row.id,
            )
            for row in rows
        ]
