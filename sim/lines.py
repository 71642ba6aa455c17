"""A run as lines of JSON: scans, visits, cards, redemptions, payments and events, the truth beside what was said.

Stores and levels are indices into the venue of the row's mall (``sim export-venue`` writes it); seconds count from
opening. What a column means stands with its table in ``outcome.py``; codes are written out, -1 and NaN are null.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from sim.figures import KINDS, pair_visits
from sim.outcome import EVENTS, PLACES, REASONS, RESULTS, join
from sim.run import Run

_CODES: Mapping[str, tuple[str, ...]] = {
    "kind": KINDS,
    "reason": REASONS,
    "result": RESULTS,
    "type": EVENTS,
    "place": PLACES,
}
_MAY_BE_NONE = frozenset({"level", "store", "said_level", "front", "said_store", "target", "true_store", "phone"})
_DIGITS = 3


def run_files(run: Run) -> dict[str, Iterator[bytes]]:
    """File name -> lines, for all that is written beside the report."""
    true, said = join(run.days, "true_visits"), join(run.days, "said_visits")
    kept, is_counted, matched = pair_visits(run, true, said)
    return {
        "scans.ndjson": table_lines(join(run.days, "scans")),
        "true-visits.ndjson": table_lines(true, is_found=_spread(kept, matched.found)),
        "said-visits.ndjson": table_lines(
            said, is_right=_spread(is_counted, matched.right), is_again=_spread(is_counted, matched.again)
        ),
        "cards.ndjson": table_lines(join(run.days, "cards")),
        "redemptions.ndjson": table_lines(join(run.days, "redemptions")),
        "payments.ndjson": table_lines(join(run.days, "payments")),
        "events.ndjson": table_lines(join(run.days, "events")),
    }


def _spread(mask: NDArray[np.bool_], flags: NDArray[np.bool_]) -> list[bool | None]:
    """Flags of the rows that a mask has; None for the others, which no figure counts."""
    values = iter(flags.tolist())
    return [next(values) if here else None for here in mask.tolist()]


def table_lines(table: NDArray[np.void], **more: Sequence[bool | None]) -> Iterator[bytes]:
    """One row a line, columns by name, then the flags given."""
    names = table.dtype.names or ()
    flags = list(more.values())
    for number, row in enumerate(table.tolist()):
        values = {name: _plain(name, value) for name, value in zip(names, row, strict=True)}
        values |= {name: flag[number] for name, flag in zip(more, flags, strict=True)}
        yield msgspec.json.encode(values) + b"\n"


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, _DIGITS)
    if name in _CODES:
        return _CODES[name][value]
    return None if value == -1 and name in _MAY_BE_NONE else value
