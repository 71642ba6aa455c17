"""Sums of decision trees over flat arrays.

A node's children stand side by side, so a step is one comparison and one addition without a branch; a leaf leads to
itself. The rows of a scan walk a tree abreast, which lets the processor overlap their memory reads.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from positioning.radio_map import F32, I32


class TreeArrays(NamedTuple):
    """Nodes of all trees.

    Args:
        root, depth: (n_trees,) each tree's first node and its depth.
        column, threshold, child: of each node; a row goes to ``child`` where its feature is not above the threshold,
            else to the next node. A leaf's threshold is infinite and its child is itself.
        value: of each leaf.
    """

    root: I32
    depth: I32
    column: I32
    threshold: F32
    child: I32
    value: F32


@njit(cache=True, nogil=True, error_model="numpy")
def score_rows(feature: F32, n_described: I32, trees: TreeArrays, out: F32) -> None:
    """The sum over trees of each row's leaf: (n, n_candidates), for a scan's first ``n_described`` (n,) rows."""
    root, depth, column = trees.root, trees.depth, trees.column
    threshold, child, value = trees.threshold, trees.child, trees.value
    at = np.empty(feature.shape[1], dtype=np.uint32)
    for i in range(len(feature)):
        n = n_described[i]
        rows, scores = feature[i], out[i]
        scores[:n] = np.float32(0.0)
        for tree in range(len(root)):
            at[:n] = root[tree]
            for _ in range(depth[tree]):
                for r in range(n):
                    node = at[r]
                    at[r] = child[node] + (rows[r, np.uint32(column[node])] > threshold[node])
            for r in range(n):
                scores[r] += value[at[r]]
