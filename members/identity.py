"""The ids a person is known by, written one way and hidden behind a keyed hash at the door.

An identity's ref is the pseudonym of the person who has that identity alone; ``join.py`` puts such persons together.
What came in as text is neither kept nor logged: nobody without the key can make the ref, or find the text from it.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

import phonenumbers

from kernel.ids import DeviceId, PersonRef, TenantId, derive_id
from members.device import person_ref
from members.errors import IdentityRefusedError


class IdentityKind(StrEnum):
    """What an id is of."""

    MAKER = "maker"
    """A phone, as its maker or app names it: the ``device_id`` of scans."""
    APP = "app"
    """An account in an app, ``app:account``; without a colon, in the tenant's own."""
    PHONE = "phone"
    """A phone number."""
    PAYMENT = "payment"
    """A payment provider's token of a card or wallet; never a card's number."""
    LOYALTY = "loyalty"
    """A loyalty card, ``programme:card``; without a colon, of the tenant's own programme."""
    PARTNER = "partner"
    """Somebody's id in a partner's customer system, ``system:id``; without a colon, in the one there is."""
    PLATE = "plate"
    """A car's number plate."""
    BIOMETRIC = "biometric"
    """An opaque id from an adapter at a till; no image, no template."""


PERSONAL = frozenset({IdentityKind.MAKER, IdentityKind.APP, IdentityKind.PHONE})
"""Kinds that somebody signs in with. Cards and cars are lent; being seen with them joins nobody to somebody else."""
ISSUED = frozenset({IdentityKind.APP, IdentityKind.LOYALTY, IdentityKind.PARTNER})
"""Kinds that say who issued them, before the first colon: a person has one of each issuer."""

MOST_CHARACTERS = 256
_OPAQUE = re.compile(r"[^\x00-\x20\x7f]+(?: [^\x00-\x20\x7f]+)*")
_ISSUER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""It is kept as it is written, so nothing of a person may stand in it."""
_PLATE_FILLING = re.compile(r"[\s\-.·•]+")
_CARD_DIGITS = range(13, 20)


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """One id of somebody. ``issuer`` is empty where the kind has none."""

    ref: PersonRef
    kind: IdentityKind
    issuer: str = ""


def identity_of(tenant: TenantId, kind: IdentityKind, text: str, key: bytes, region: str | None) -> Identity:
    """The identity that ``text`` names; however it is written, the same.

    Args:
        key: the server's key for pseudonyms.
        region: ISO 3166 two letters, for phone numbers written without their country; None refuses those.

    Raises:
        IdentityRefusedError: no id of this kind.
    """
    if kind is IdentityKind.MAKER:  # as scans have it, to the letter
        _check_length(kind, text)
        return Identity(person_ref(tenant, DeviceId(text), key), kind)
    held = text.strip()
    _check_length(kind, held)
    issuer = ""
    if kind is IdentityKind.PHONE:
        held = _phone_number(held, region)
    elif kind is IdentityKind.PLATE:
        held = _PLATE_FILLING.sub("", unicodedata.normalize("NFKC", held)).upper()
    elif kind in ISSUED:
        before, colon, behind = held.partition(":")
        issuer, held = (before.strip().lower(), behind.strip()) if colon else ("", held)
        if colon and not (_ISSUER.fullmatch(issuer) and held):
            raise IdentityRefusedError(
                kind.value, f"a {kind.value} id is 'issuer:id', or 'id' alone; issuers are [a-z0-9._-]"
            )
    if not _OPAQUE.fullmatch(held):
        raise IdentityRefusedError(kind.value, f"a {kind.value} id holds signs that no id has")
    if kind is IdentityKind.PAYMENT and _is_card_number(held):
        raise IdentityRefusedError(kind.value, "this is a card's number: send your payment provider's token for it")
    return Identity(PersonRef(derive_id("per", tenant, kind.value, issuer, held, key=key)), kind, issuer)


def _check_length(kind: IdentityKind, text: str) -> None:
    if not 1 <= len(text) <= MOST_CHARACTERS:
        raise IdentityRefusedError(kind.value, f"a {kind.value} id has 1 to {MOST_CHARACTERS} characters")


def _phone_number(text: str, region: str | None) -> str:
    """In E.164, from any writing that libphonenumber reads."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise IdentityRefusedError("phone", "this is no phone number") from error
    if not phonenumbers.is_valid_number(number):
        raise IdentityRefusedError("phone", "no such phone number is given out")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _is_card_number(text: str) -> bool:
    """Whether the digits are a payment card's: their count and the Luhn sum (ISO/IEC 7812-1)."""
    digits = re.sub(r"[ -]", "", text)
    if not digits.isascii() or not digits.isdigit() or len(digits) not in _CARD_DIGITS:
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0
