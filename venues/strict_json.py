"""JSON from strangers: every way it can be bad is one of ours, never a surprise deeper in."""

import json
import math
from typing import Any, NoReturn

from venues.faults import FaultCode

MAX_DEPTH = 64
"""GeoJSON of the deepest kind nests 9 levels; 64 leaves room for extensions, far below the parser's limit."""


class BadJsonError(ValueError):
    """The text is not JSON that we take; ``fault_code`` says which way."""

    def __init__(self, fault_code: FaultCode, message: str) -> None:
        self.fault_code = fault_code
        super().__init__(message)


def load_json(data: bytes) -> Any:
    """Parse UTF-8 JSON; refuse NaN, infinities, overflowing numbers, lone surrogates and deep nesting.

    Raises:
        BadJsonError: with ``NOT_UTF8`` or ``NOT_JSON``.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadJsonError(FaultCode.NOT_UTF8, f"not UTF-8 at byte {error.start}") from None
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_bounded_int)
    except RecursionError:
        raise BadJsonError(FaultCode.NOT_JSON, "nested too deeply") from None
    except BadJsonError:
        raise
    except ValueError as error:
        raise BadJsonError(FaultCode.NOT_JSON, f"not JSON: {error}") from None
    _check(value)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise BadJsonError(FaultCode.NOT_JSON, f"{name} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise BadJsonError(FaultCode.NOT_JSON, f"number out of range: {text[:40]}")
    return value


def _bounded_int(text: str) -> int:
    # a whole number that no double can hold would only fail later, in the first array it meets
    if len(text) > 300:
        raise BadJsonError(FaultCode.NOT_JSON, f"number out of range: {text[:40]}")
    return int(text)


def _check(value: Any) -> None:
    """Bound the nesting and refuse lone surrogates, which no UTF-8 writer can give back."""
    pending: list[tuple[Any, int]] = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise BadJsonError(FaultCode.NOT_JSON, f"nested more than {MAX_DEPTH} levels deep")
        if isinstance(item, str):
            _check_text(item)
        elif isinstance(item, dict):
            for key, child in item.items():
                _check_text(key)
                pending.append((child, depth + 1))
        elif isinstance(item, list):
            pending.extend((child, depth + 1) for child in item)


def _check_text(text: str) -> None:
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise BadJsonError(FaultCode.NOT_JSON, "a text holds half a surrogate pair")
