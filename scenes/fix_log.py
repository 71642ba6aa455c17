"""The fixes of each phone's present day, for late scans: in memory, where nothing has to outlive the process."""

from collections.abc import Iterable, Mapping

import numpy as np

from kernel.ids import DeviceRef
from scenes.fix import FixRows
from scenes.kernels.record import BASE, I32

_MINUTE_MS = 60_000


class FixLog:
    """What a database keeps for a server. Not for several threads at once."""

    def __init__(self) -> None:
        self._parts: dict[DeviceRef, list[FixRows]] = {}

    def add(self, fixes: Mapping[DeviceRef, FixRows]) -> None:
        """Keep fixes of phones."""
        for ref, rows in fixes.items():
            self._parts.setdefault(ref, []).append(rows)

    def days_of(self, records: Mapping[DeviceRef, I32]) -> dict[DeviceRef, FixRows]:
        """Each phone's fixes since its record's day began; what is older is forgotten."""
        found: dict[DeviceRef, FixRows] = {}
        for ref, record in records.items():
            if ref in self._parts:
                rows = FixRows.join(self._parts[ref])
                rows = rows.take(np.flatnonzero(rows.at_ms >= int(record[BASE]) * _MINUTE_MS))
                self._parts[ref] = [rows]
                found[ref] = rows
        return found

    def drop(self, refs: Iterable[DeviceRef]) -> None:
        """Forget phones."""
        for ref in refs:
            self._parts.pop(ref, None)
