"""Errors of scenes.

InputRefusedError
├── RulesError            a rule file with an unknown key or a value out of range
├── SnapshotError         a stored scene that cannot be read back
└── TooManyPlacesError    more venues or stores than a record can number
"""

from kernel.errors import InputRefusedError


class RulesError(InputRefusedError):
    """Rules that make no sense; the message names the key."""

    code = "invalid_rules"


class SnapshotError(InputRefusedError):
    """A snapshot of another version, or damaged."""

    code = "invalid_snapshot"


class TooManyPlacesError(InputRefusedError):
    """A record has 15 bits for a venue, and for a store of it."""

    code = "too_many_places"
