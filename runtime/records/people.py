"""Who is behind identities."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.engine import Connection

from kernel.ids import DeviceId, PersonRef, TenantId, derive_id
from members.device import allowance_of, device_ref, person_ref
from members.identity import IdentityKind
from runtime.records.devices import get_devices

_PASSED_OVER: Final = frozenset({IdentityKind.BIOMETRIC, IdentityKind.PLATE})
"""Nothing says here whether their owner allowed that they are known by these."""


class FirstIdentity:
    """A person for each identity, not joined: the pseudonym of the first that may be used.

    A phone's person is that of its visits, where its owner allowed visits to be kept; else the phone is passed over.
    Stores nothing.
    """

    def __init__(self, people_key: bytes) -> None:
        self._key = people_key

    def person_of(
        self,
        connection: Connection,
        tenant: TenantId,
        identities: Sequence[tuple[IdentityKind, str]],
        at: datetime,
        source: str,
    ) -> PersonRef | None:
        for kind, value in identities:
            if kind is IdentityKind.MAKER:
                ref = device_ref(tenant, DeviceId(value), self._key)
                if allowance_of(get_devices(connection, tenant, [ref]).get(ref)).keeps_visits:
                    return person_ref(tenant, DeviceId(value), self._key)
            elif kind not in _PASSED_OVER:
                return PersonRef(derive_id("per", tenant, kind.value, value, key=self._key))
        return None
