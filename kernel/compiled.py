"""numba's decorators with types, since its own carry none: compiled at the first call, kept on disk, lock released.

"In place" means: makes no array, nor calls what makes one, so that nobody counts who holds its arrays. In the visit
rule that counting took nine tenths of the time. "Fused" may contract a product and a sum into one rounding; no other
liberty is taken with sums, so that the same input gives the same answer in any batch.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit
from numba.extending import register_jitable

_Function = TypeVar("_Function", bound=Callable[..., Any])
_compile: Callable[..., Any] = njit


def compiled(function: _Function) -> _Function:
    """Compile a function that may make arrays."""
    made: _Function = _compile(cache=True, nogil=True, error_model="numpy")(function)
    return made


def compiled_in_place(function: _Function) -> _Function:
    """Compile a function that makes no array."""
    made: _Function = _compile(cache=True, nogil=True, error_model="numpy", _nrt=False)(function)
    return made


def fused(function: _Function) -> _Function:
    """Compile a function that may make arrays, fused."""
    made: _Function = _compile(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})(function)
    return made


def inlined(function: _Function) -> _Function:
    """Write a function that makes no array out in whoever calls it.

    By the compiler behind numba: numba's own inlining takes minutes for the visit rule, and the outcome is as fast.
    """
    made: _Function = register_jitable(forceinline=True, error_model="numpy", _nrt=False)(function)
    return made


def fused_inlined(function: _Function) -> _Function:
    """Likewise, fused.

    What it writes to is best made by whoever calls it: the compiler then knows that nothing else lies there.
    """
    options = {"error_model": "numpy", "fastmath": {"contract"}, "_nrt": False}
    made: _Function = register_jitable(forceinline=True, **options)(function)
    return made
