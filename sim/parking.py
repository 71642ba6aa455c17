"""A level of parking under a simulated mall: rows of bays between drive aisles, and the ways up.

Stairs, lift and escalators stand where they stand on the levels above. Bays and aisles have no walls: a bay is paint
on the floor, and people walk over it.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sim.layout import (
    Box,
    LevelPlan,
    MallSpec,
    PlannedOpening,
    PlannedUnit,
    plan_escalators,
    plan_service_core,
    ring_of,
)

_BAY_M = (3, 5)
"""Width and length of a bay, whole metres (2.5 x 5.3 m on most plans)."""
_AISLE_M = 6


def plan_parking(spec: MallSpec, ordinal: int) -> LevelPlan:
    """Lay out one level of parking; nothing about it is drawn by chance."""
    ring, core = ring_of(spec)
    units: list[PlannedUnit] = []
    services, openings = plan_service_core(spec, ring)
    for unit in services:
        units.append(PlannedUnit("nonpublic", unit.box, name="Plant room") if unit.category == "restroom" else unit)
    del openings[-1]  # the door of the restrooms, which are not here
    escalators, ways = plan_escalators(core, spec.island_m)
    units += escalators
    openings += ways
    taken = np.zeros((spec.depth_m, spec.width_m), dtype=np.bool_)
    for unit in units:
        _cells(taken, unit.box)[:] = True
    fronts = taken.copy()  # nobody parks where people come out
    for door in openings:
        x0, x1 = int(min(door.x0, door.x1)), int(max(door.x0, door.x1))
        _cells(fronts, Box(max(0, x0 - 1), max(0, int(door.y0) - 3), x1 + 1, int(door.y1) + 3))[:] = True
    n = 0
    for box in _bays(spec):
        if not _cells(fronts, box).any():
            n += 1
            units.append(PlannedUnit("parking", box, name=f"{-ordinal}-{n:03d}"))
            _cells(taken, box)[:] = True
    units += [PlannedUnit("road", box) for box in _boxes_of(~taken)]
    openings.append(PlannedOpening(0, _BAY_M[1], 0, _BAY_M[1] + _AISLE_M, for_cars=True))
    return LevelPlan(ordinal, tuple(units), tuple(openings))


def _cells(of: NDArray[np.bool_], box: Box) -> NDArray[np.bool_]:
    """The square metres of a box, as a view."""
    return of[box.y0 : box.y1, box.x0 : box.x1]


def _bays(spec: MallSpec) -> Iterable[Box]:
    """Where bays would stand on a bare floor: rows along x, two at an aisle, an aisle around at both ends."""
    width, length = _BAY_M
    period = 2 * length + _AISLE_M
    for y in range(0, spec.depth_m - period + 1, period):
        for y0 in (y, y + length + _AISLE_M):
            for x0 in range(_AISLE_M, spec.width_m - _AISLE_M - width + 1, width):
                yield Box(x0, y0, x0 + width, y0 + length)


def _boxes_of(free: NDArray[np.bool_]) -> list[Box]:
    """Free square metres as boxes that do not overlap: runs along x, joined where the next row has the same run."""
    open_runs: dict[tuple[int, int], int] = {}
    boxes: list[Box] = []
    for y in range(free.shape[0] + 1):
        row = free[y] if y < free.shape[0] else np.zeros(free.shape[1], dtype=np.bool_)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(np.int8)))
        runs = {(int(a), int(b)) for a, b in edges.reshape(-1, 2)}
        for run in sorted(set(open_runs) - runs):
            boxes.append(Box(run[0], open_runs.pop(run), run[1], y))
        for run in runs - set(open_runs):
            open_runs[run] = y
    return boxes
