"""How well somebody is known: visitor, fan, member. What they gave makes it, not what they were shown."""

from collections.abc import Collection
from enum import StrEnum

from members.identity import Identity, IdentityKind


class Tier(StrEnum):
    """In rising order."""

    VISITOR = "visitor"
    """Counted, and known by no id but the phone's own."""
    FAN = "fan"
    """Known by an id: an account, a card, a car."""
    MEMBER = "member"
    """Known by an id and a phone number."""


def tier_of(held: Collection[Identity]) -> Tier:
    """The tier that somebody's identities make."""
    kinds = {one.kind for one in held} - {IdentityKind.MAKER}
    if IdentityKind.PHONE in kinds:
        return Tier.MEMBER if len(kinds) > 1 or any(one.kind is IdentityKind.MAKER for one in held) else Tier.FAN
    return Tier.FAN if kinds else Tier.VISITOR
