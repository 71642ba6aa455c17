"""The one canonical form of a transmitter's id.

| kind | accepted | canonical |
|---|---|---|
| Wi-Fi address | ``:``, ``-``, ``.`` or no separator, any case | ``aa:bb:cc:dd:ee:ff`` |
| opaque | ``x-NAME`` (research sets without addresses) | ``x-NAME`` as given |
| iBeacon | UUID, major, minor | ``ib:uuid:major:minor`` |
| Eddystone-UID | namespace (10 bytes), instance (6 bytes), hex | ``ed:namespace:instance`` |

Locally administered addresses are kept: many mall access points derive further BSSIDs with the local bit.
"""

import re
import uuid as uuid_lib

from fingerprints.errors import TransmitterIdError
from kernel.ids import TransmitterId

_MAC = re.compile(
    r"^(?:[0-9a-f]{12}|[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}"
    r"|[0-9a-f]{2}(?:\.[0-9a-f]{2}){5})$"
)
_CANONICAL = re.compile(r"[0-9a-f]{2}:[0-9a-f]{2}:[0-9a-f]{2}:[0-9a-f]{2}:[0-9a-f]{2}:[0-9a-f]{2}")
_OPAQUE = re.compile(r"^x-[A-Za-z0-9_.:-]{1,64}$")
_HEX = re.compile(r"^[0-9a-f]+$")
_NOT_A_TRANSMITTER = frozenset({"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:90:10:00"})
"""All-zero and broadcast addresses, and the multicast address that some drivers report as an access point
(the list of mozilla/ichnaea)."""
_MAX_U16 = 65_535


def parse_bssid(text: str) -> TransmitterId:
    """Read a Wi-Fi address in any usual spelling, or an opaque ``x-NAME``.

    >>> parse_bssid("0E-74-9C-A7-B2-E4")
    '0e:74:9c:a7:b2:e4'

    Raises:
        TransmitterIdError: the text is neither, or an address that no transmitter has.
    """
    if _CANONICAL.fullmatch(text) and text not in _NOT_A_TRANSMITTER:
        return TransmitterId(text)  # as phones write it: nothing to change
    if _OPAQUE.match(text):
        return TransmitterId(text)
    lowered = text.strip().lower()
    if not _MAC.match(lowered):
        raise TransmitterIdError(text)
    digits = re.sub(r"[^0-9a-f]", "", lowered)
    canonical = ":".join(digits[i : i + 2] for i in range(0, 12, 2))
    if canonical in _NOT_A_TRANSMITTER:
        raise TransmitterIdError(text)
    return TransmitterId(canonical)


def ibeacon_id(uuid: str, major: int, minor: int) -> TransmitterId:
    """The id of an iBeacon.

    >>> ibeacon_id("FDA50693-A4E2-4FB1-AFCF-C6EB07647825", 10073, 61418)
    'ib:fda50693-a4e2-4fb1-afcf-c6eb07647825:10073:61418'
    """
    try:
        canonical = str(uuid_lib.UUID(uuid))
    except ValueError:
        raise TransmitterIdError(uuid) from None
    if not (0 <= major <= _MAX_U16 and 0 <= minor <= _MAX_U16):
        raise TransmitterIdError(f"{uuid}:{major}:{minor}")
    return TransmitterId(f"ib:{canonical}:{major}:{minor}")


def eddystone_id(namespace: str, instance: str) -> TransmitterId:
    """The id of an Eddystone-UID beacon: 20 hex digits of namespace, 12 of instance."""
    space, item = namespace.lower().removeprefix("0x"), instance.lower().removeprefix("0x")
    if len(space) != 20 or len(item) != 12 or not _HEX.match(space + item):
        raise TransmitterIdError(f"{namespace}:{instance}")
    return TransmitterId(f"ed:{space}:{item}")


def is_beacon(transmitter: TransmitterId) -> bool:
    """Whether the id is that of a Bluetooth beacon rather than a Wi-Fi radio."""
    return transmitter.startswith(("ib:", "ed:"))
