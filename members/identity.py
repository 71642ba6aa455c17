"""What a person may be known by."""

from enum import StrEnum


class IdentityKind(StrEnum):
    """A kind of identity: a maker's or an app's id of a phone, a phone number, a means of payment, a card..."""

    MAKER = "maker"
    APP = "app"
    PHONE = "phone"
    PAYMENT = "payment"
    LOYALTY = "loyalty"
    PARTNER = "partner"
    PLATE = "plate"
    BIOMETRIC = "biometric"
