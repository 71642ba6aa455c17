"""What is known of a mall that was imported: its hours, and what its map lacked."""

from dataclasses import dataclass

from kernel.ids import StoreId


@dataclass(frozen=True, slots=True)
class OpenHours:
    """When an imported venue is open, every day; maps rarely say."""

    opens_hour: int = 10
    closes_hour: int = 22
    utc_offset_h: int = 8


@dataclass(frozen=True, slots=True)
class ImportedSpec:
    """When an imported venue is open, and what was added to its map, or left out, so that it can be walked.

    Args:
        doors, stairs, entrances: how many were added; a stairwell counts once for two levels.
        shut: stores that nobody could have reached.
    """

    opens_hour: int
    closes_hour: int
    utc_offset_h: int
    doors: int = 0
    stairs: int = 0
    entrances: int = 0
    shut: tuple[StoreId, ...] = ()

    def told(self) -> str:
        """What was done, for people."""
        words = f"added {self.doors} doors, {self.stairs} stairs and {self.entrances} entrances"
        return words + (f"; shut {len(self.shut)} stores that cannot be reached" if self.shut else "")
