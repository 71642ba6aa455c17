"""Distinct types for ids, and ids made from what they stand for.

A derived id is the same for the same parts, so that replaying an input makes no second thing.
"""

import base64
import hashlib
from typing import NewType

TenantId = NewType("TenantId", str)
VenueId = NewType("VenueId", str)
LevelId = NewType("LevelId", str)
UnitId = NewType("UnitId", str)
StoreId = NewType("StoreId", str)
ZoneId = NewType("ZoneId", str)
TransmitterId = NewType("TransmitterId", str)
ScanId = NewType("ScanId", str)
DeviceId = NewType("DeviceId", str)
"""What a phone calls itself. Seen at the door only; inside, a DeviceRef stands for it."""
DeviceRef = NewType("DeviceRef", str)
"""Keyed hash of (tenant, device id): the phone's name inside Atrium."""
PersonRef = NewType("PersonRef", str)
VisitId = NewType("VisitId", str)
CampaignId = NewType("CampaignId", str)
CouponId = NewType("CouponId", str)
CardId = NewType("CardId", str)
EventId = NewType("EventId", str)
PaymentId = NewType("PaymentId", str)

_SEPARATOR = b"\x1f"  # ASCII unit separator: cannot stand in an id, so ("a","bc") and ("ab","c") differ
_DIGEST_BYTES = 15  # 120 bits: 24 base32 letters without padding


def derive_id(prefix: str, *parts: str, key: bytes = b"") -> str:
    """Make the id ``prefix_...`` that stands for ``parts``; with ``key``, nobody else can make it.

    >>> derive_id("vis", "phone", "2026") == derive_id("vis", "phone", "2026")
    True
    """
    digest = hashlib.blake2b(
        _SEPARATOR.join(part.encode() for part in parts), digest_size=_DIGEST_BYTES, key=key
    ).digest()
    return f"{prefix}_{base64.b32encode(digest).decode().lower()}"
