"""A phone as its maker or app describes it, and what its owner allowed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kernel.ids import DeviceId, DeviceRef, PersonRef, TenantId, derive_id


class Purpose(StrEnum):
    """What a consent is for; each on its own, none bundled with a benefit. Navigation needs none."""

    VISITS = "visits"
    ANALYTICS = "analytics"
    MARKETING = "marketing"
    STAFF_RECOGNITION = "staff_recognition"
    SOCIAL = "social"
    PARTNER_SHARING = "partner_sharing"
    BIOMETRIC = "biometric"


class AgeBand(StrEnum):
    """What is known of the owner's age. Unknown is treated as a child."""

    CHILD = "child"
    TEEN = "teen"
    ADULT = "adult"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Consent:
    """One purpose allowed, under one version of its text, at one instant."""

    purpose: Purpose
    version: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Device:
    """A phone's record: its pseudonym inside Atrium, its owner's, and the consents in force."""

    ref: DeviceRef
    person: PersonRef
    age_band: AgeBand = AgeBand.UNKNOWN
    consents: tuple[Consent, ...] = ()
    model: str | None = None
    locale: str | None = None
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be done for one phone, decided here and nowhere else."""

    keeps_visits: bool = False
    feeds_analytics: bool = False
    gets_cards: bool = False
    keeps_tags: bool = False


NOTHING_ALLOWED = Allowance()
"""Position only, counted through a hash whose key is dropped daily."""


def allowance_of(device: Device | None) -> Allowance:
    """What a phone's consents and age allow; a phone that is not registered has allowed nothing.

    No per-person visit, tag or targeted card for a child or an unknown age, at any consent. A card needs a visit
    to answer to, so ``marketing`` without ``visits`` gives none. Tags and rhythm are made of visits by looking at them
    together, which is ``analytics``; so both consents are needed, and neither gives a card.
    """
    if device is None or device.age_band in {AgeBand.CHILD, AgeBand.UNKNOWN}:
        return NOTHING_ALLOWED
    purposes = {consent.purpose for consent in device.consents}
    keeps_visits = Purpose.VISITS in purposes
    return Allowance(
        keeps_visits=keeps_visits,
        feeds_analytics=Purpose.ANALYTICS in purposes,
        gets_cards=keeps_visits and Purpose.MARKETING in purposes,
        keeps_tags=keeps_visits and Purpose.ANALYTICS in purposes,
    )


def waits_for_confirmation(device: Device | None) -> bool:
    """Whether a phone's last scans may wait in memory for a till to name the store: an adult's, with ``analytics``."""
    return device is not None and device.age_band is AgeBand.ADULT and allowance_of(device).feeds_analytics


def tags_since(device: Device | None) -> datetime | None:
    """From when on a phone's visits may be learnt into tags: the later of both consents; None for never.

    What was visited before is not looked at again when somebody consents.
    """
    if device is None or not allowance_of(device).keeps_tags:
        return None
    return max(
        min(consent.at for consent in device.consents if consent.purpose is purpose)
        for purpose in (Purpose.VISITS, Purpose.ANALYTICS)
    )


def device_ref(tenant: TenantId, device_id: DeviceId, key: bytes) -> DeviceRef:
    """The pseudonym that stands for a phone inside one tenant; without ``key`` nobody can make it."""
    return DeviceRef(derive_id("dev", tenant, device_id, key=key))


def person_ref(tenant: TenantId, device_id: DeviceId, key: bytes) -> PersonRef:
    """The person behind a phone, until identities join persons: one person a phone."""
    return PersonRef(derive_id("per", tenant, device_id, key=key))
