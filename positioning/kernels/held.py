"""Arrays that compiled code keeps: a venue is handed over once, not array by array with each call.

Telling numba the type and the place of some sixty arrays took a third of the time of a call with one scan; what is held
is one pointer.
"""

from typing import Any

from numba import njit, types
from numba.experimental import structref


@structref.register
class HeldType(types.StructRef):
    """What numba knows of ``Held``."""


class Held(structref.StructRefProxy):
    """``value``, a tuple of arrays and such tuples, for compiled code alone; make it with ``hold``."""

    value: Any

    def __new__(cls, value: Any) -> "Held":
        made: Held = structref.StructRefProxy.__new__(cls, value)  # type: ignore[no-untyped-call]  # numba has none
        return made


structref.define_proxy(Held, HeldType, ["value"])  # type: ignore[no-untyped-call]


@njit(cache=True)
def hold(value: Any) -> Held:
    """Hand a value over to compiled code; its arrays live as long as the result."""
    return Held(value)
