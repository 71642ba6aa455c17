"""What tills say of where phones are: a payment or redemption makes a waiting scan of its phone a learning sample."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from api.ports import Recorded, Redemption
from kernel.clock import Clock
from kernel.errors import AtriumError
from kernel.ids import DeviceId, DeviceRef, StoreId, TenantId
from members.device import device_ref, waits_for_confirmation
from members.identity import IdentityKind
from members.payment import Payment, Told
from runtime.records.devices import get_devices
from runtime.records.learning_samples import store_sample
from runtime.records.payments import StorePlace
from runtime.records.schema import visits
from runtime.waiting_scans import WaitingScans


class Confirming:
    """Stores learning samples within the transaction of what confirms them, where a scan is at hand."""

    def __init__(self, waiting: WaitingScans, clock: Clock, people_key: bytes) -> None:
        self._waiting, self._clock, self._key = waiting, clock, people_key

    def paid(
        self,
        connection: Connection,
        tenant: TenantId,
        told: Sequence[Told],
        outcomes: Sequence[Recorded | AtriumError],
        places: Mapping[StoreId, StorePlace],
    ) -> None:
        """Take what new payments confirm: those that name the payer's phone."""
        for one, outcome in zip(told, outcomes, strict=True):
            if not isinstance(one, Payment) or isinstance(outcome, AtriumError) or outcome.is_replay:
                continue
            for identity in one.identities:
                if identity.kind is IdentityKind.MAKER:
                    ref = device_ref(tenant, DeviceId(identity.value), self._key)
                    self._confirm(connection, tenant, ref, one.store_id, places, one.at)

    def redeemed(
        self, connection: Connection, tenant: TenantId, redemption: Redemption, places: Mapping[StoreId, StorePlace]
    ) -> None:
        """Take what a redemption confirms, of the phone whose visit the coupon was given in."""
        query = sa.select(visits.c.device_ref).where(visits.c.id == redemption.coupon.visit_id)
        ref = connection.execute(query).scalar()
        if ref is not None:
            self._confirm(connection, tenant, DeviceRef(ref), redemption.store_id, places, redemption.at)

    def _confirm(
        self,
        connection: Connection,
        tenant: TenantId,
        ref: DeviceRef,
        store_id: StoreId,
        places: Mapping[StoreId, StorePlace],
        at: datetime,
    ) -> None:
        place = places.get(store_id)
        scan = self._waiting.newest(tenant, ref, at, self._clock.now())
        if place is None or place.is_sensitive or scan is None or scan.venue_id != place.venue_id:
            return
        if not waits_for_confirmation(get_devices(connection, tenant, [ref]).get(ref)):
            return  # withdrawn just now, before memory heard of it
        store_sample(connection, tenant, scan, store_id, scan.at.astimezone(place.zone).date())
