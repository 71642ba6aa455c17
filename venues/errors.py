"""Errors of maps.

InputRefusedError
└── MapRefusedError         a map that cannot be taken in; carries every fault found
    ├── ImdfRefusedError    an IMDF archive
    └── Xyz10RefusedError   a folder of floors in the layout of the XYZ10 survey sets
"""

from kernel.errors import InputRefusedError
from venues.faults import Fault

_SHOWN = 5


class MapRefusedError(InputRefusedError):
    """A map that cannot be taken in as it is; ``faults`` holds all of them, not only the first."""

    code = "map_refused"

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        shown = "; ".join(str(fault) for fault in faults[:_SHOWN])
        more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        super().__init__(f"{len(faults)} fault(s): {shown}{more}")


class ImdfRefusedError(MapRefusedError):
    """An IMDF archive with faults that its reading may not pass over."""

    code = "imdf_refused"


class Xyz10RefusedError(MapRefusedError):
    """A folder that lacks the XYZ10 layout, or holds a file that is not what its name says."""

    code = "xyz10_refused"
