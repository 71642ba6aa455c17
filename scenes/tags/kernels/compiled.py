"""numba's decorator with types, since its own carries none."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile at the first call, keep on disk, release the interpreter's lock."""
    return cast(_Function, njit(cache=True, nogil=True, error_model="numpy")(function))
