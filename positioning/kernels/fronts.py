"""Distances from places to store polygons, with the candidates of each place looked up in a grid.

Polygons are flat lists of edges (x1, y1, x2, y2), all rings together; inside is by the even-odd rule, so holes and
multipolygons need no special case.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from positioning.radio_map import F32, F64, I32, I64

N_FEATURES = 6
N_CANDIDATES = 20
"""How many store fronts are ever considered for a scan: the wire's list, and recall@20 in evaluation."""
_WIDE = 0.2
"""Width of the wide kernel e^(-d / width) over Sørensen distances; the narrow one is its tenth power, of width 0.02.
Chosen on simulated malls (docs/algorithms/confidence.md)."""


class FrontArrays(NamedTuple):
    """A map's store polygons with the candidates of each cell of a grid, as of ``fronts.FrontTable``; level l's grid
    starts at row ``grid_start[l]`` of ``candidates``."""

    edge_indptr: I64
    edges: F64
    grid_start: I64
    grid_shape: I64
    grid_origin_m: F64
    cell_m: F64
    candidates: I32


@njit(cache=True, nogil=True)
def signed_distance_m(x: float, y: float, edges: F64, start: int, stop: int) -> float:
    """Distance to the polygon's boundary in metres, negative inside."""
    nearest = np.inf
    inside = False
    for e in range(start, stop):
        x1, y1, x2, y2 = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
        dx, dy = x2 - x1, y2 - y1
        squared = dx * dx + dy * dy
        t = 0.0
        if squared > 0:
            t = min(max(((x - x1) * dx + (y - y1) * dy) / squared, 0.0), 1.0)
        away = (x1 + t * dx - x) ** 2 + (y1 + t * dy - y) ** 2
        nearest = min(nearest, away)
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * dx:
            inside = not inside
    boundary_m: float = np.sqrt(nearest)
    return -boundary_m if inside else boundary_m


@njit(cache=True, nogil=True)
def fill_candidates(
    origin_m: F64, n_columns: int, cell_m: float, stores: I32, edge_indptr: I64, edges: F64, out: I32
) -> None:
    """For each cell of one level's grid, its nearest stores (distance from the cell's middle), nearest first."""
    n_kept = out.shape[1]
    distances = np.empty(len(stores), dtype=np.float64)
    for cell in range(out.shape[0]):
        x = origin_m[0] + (cell % n_columns + 0.5) * cell_m
        y = origin_m[1] + (cell // n_columns + 0.5) * cell_m
        for at in range(len(stores)):
            s = stores[at]
            distances[at] = max(signed_distance_m(x, y, edges, edge_indptr[s], edge_indptr[s + 1]), 0.0)
        order = np.argsort(distances, kind="mergesort")
        for place in range(min(n_kept, len(stores))):
            out[cell, place] = stores[order[place]]


@njit(cache=True, nogil=True)
def measure_fronts(xy_m: F64, level: I32, table: FrontArrays, out_store: I32, out_distance_m: F64) -> None:
    """The candidate stores of each place and their signed distances (negative inside); -1 and inf where none.

    ``level`` (n,) counts the table's levels, -1 for a level without stores.
    """
    for i in range(len(xy_m)):
        out_store[i, :] = -1
        out_distance_m[i, :] = np.inf
        at = level[i]
        if at < 0 or np.isnan(xy_m[i, 0]) or table.grid_shape[at, 0] == 0:
            continue
        column = int((xy_m[i, 0] - table.grid_origin_m[at, 0]) // table.cell_m[at])
        row = int((xy_m[i, 1] - table.grid_origin_m[at, 1]) // table.cell_m[at])
        column = min(max(column, 0), table.grid_shape[at, 1] - 1)
        row = min(max(row, 0), table.grid_shape[at, 0] - 1)
        cell = table.grid_start[at] + row * table.grid_shape[at, 1] + column
        for c in range(table.candidates.shape[1]):
            s = table.candidates[cell, c]
            if s < 0:
                break
            out_store[i, c] = s
            out_distance_m[i, c] = signed_distance_m(
                xy_m[i, 0], xy_m[i, 1], table.edges, table.edge_indptr[s], table.edge_indptr[s + 1]
            )


@njit(cache=True, nogil=True)
def describe_fronts(  # noqa: PLR0912  one pass over flat arrays
    store: I32,
    distance_m: F64,
    accuracy_m: F64,
    index: I32,
    weight: F32,
    m_front: I32,
    m_inside: I32,
    n_stores: int,
    out_feature: F64,
    out_inside_share: F64,
) -> None:
    """What speaks for each candidate store, and the neighbours' share that was inside any store.

    Features of a store, d its distance (0 inside), d0 the least of them, s the predicted error: whether it is the
    nearest; (d - d0) / s; sqrt of that; ln(votes + 0.02) of the neighbours before it; ln(votes + 0.02) of the
    neighbours inside it; depth inside it / s.
    """
    front_votes = np.zeros(n_stores, dtype=np.float64)
    inside_votes = np.zeros(n_stores, dtype=np.float64)
    for i in range(store.shape[0]):
        out_feature[i, :, :] = 0.0
        inside_share = 0.0
        for c in range(index.shape[1]):
            s = index[i, c]
            if s < 0:
                break
            if m_front[s] >= 0:
                front_votes[m_front[s]] += weight[i, c]
            if m_inside[s] >= 0:
                inside_votes[m_inside[s]] += weight[i, c]
                inside_share += weight[i, c]
        out_inside_share[i] = inside_share
        least = np.inf
        nearest = 0
        for c in range(store.shape[1]):
            if store[i, c] >= 0 and distance_m[i, c] < least:
                least = distance_m[i, c]
                nearest = c
        for c in range(store.shape[1]):
            s = store[i, c]
            if s < 0:
                break
            behind = (max(distance_m[i, c], 0.0) - max(least, 0.0)) / accuracy_m[i]
            out_feature[i, c, 0] = 1.0 if c == nearest else 0.0
            out_feature[i, c, 1] = behind
            out_feature[i, c, 2] = np.sqrt(behind)
            out_feature[i, c, 3] = np.log(front_votes[s] + 0.02)
            out_feature[i, c, 4] = np.log(inside_votes[s] + 0.02)
            out_feature[i, c, 5] = min(max(-distance_m[i, c], 0.0) / accuracy_m[i], 3.0)
        for c in range(index.shape[1]):
            s = index[i, c]
            if s < 0:
                break
            if m_front[s] >= 0:
                front_votes[m_front[s]] = 0.0
            if m_inside[s] >= 0:
                inside_votes[m_inside[s]] = 0.0


@njit(cache=True, nogil=True)
def share_inside(index: I32, distance: F32, m_inside: I32, out: F64) -> None:
    """What share of the neighbours' density round each scan was surveyed inside a store, in each representation.

    Every neighbour of the shortlist counts, with e^(-d / 0.02) of its distance d, and once more with e^(-d / 0.2);
    votes see only the nearest few, whose share says little where all of them are on one side.
    ``out`` (n, 2 n_representations), the narrow ones first; 0.5 where there is none.
    """
    n_representations = distance.shape[2]
    for i in range(index.shape[0]):
        for r in range(n_representations):
            nearest = np.inf
            for c in range(index.shape[1]):
                if index[i, c] < 0:
                    break
                nearest = min(nearest, distance[i, c, r])
            inside, wide_inside = 0.0, 0.0
            total, wide_total = 0.0, 0.0
            for c in range(index.shape[1]):
                if index[i, c] < 0:
                    break
                wide = np.exp((nearest - distance[i, c, r]) / _WIDE)
                squared = wide * wide
                eighth = squared * squared * squared * squared
                density = eighth * squared
                total += density
                wide_total += wide
                if m_inside[index[i, c]] >= 0:
                    inside += density
                    wide_inside += wide
            out[i, r] = inside / total if total > 0 else 0.5
            out[i, n_representations + r] = wide_inside / wide_total if wide_total > 0 else 0.5
