"""Sums of decision trees over flat arrays.

A node's children stand side by side, so a step is one comparison and one addition without a branch; a leaf leads to
itself. Rows walk a tree abreast, which lets the processor overlap their memory reads.
"""

from typing import NamedTuple

import numpy as np

from kernel.compiled import compiled
from positioning.radio_map import F32, I32

_ABREAST = 16
"""Scans whose rows walk a tree together."""


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


@compiled
def score_rows(feature: F32, n_described: I32, trees: TreeArrays, out: F32) -> None:
    """The sum over trees of each row's leaf: (n, n_candidates), for a scan's first ``n_described`` (n,) rows.

    The rows of some scans go down a tree side by side: it is then read once for them all, and the loops are long.
    """
    root, depth, column = trees.root, trees.depth, trees.column
    threshold, child, value = trees.threshold, trees.child, trees.value
    n_scans, n_candidates, n_features = feature.shape
    flat, score = feature.reshape(-1), out.reshape(-1)
    row = np.empty(_ABREAST * n_candidates, dtype=np.uint64)
    start = np.empty(_ABREAST * n_candidates, dtype=np.uint64)
    at = np.empty(_ABREAST * n_candidates, dtype=np.uint32)
    total = np.empty(_ABREAST * n_candidates, dtype=np.float32)
    for first in range(0, n_scans, _ABREAST):
        n = 0
        for i in range(first, min(first + _ABREAST, n_scans)):
            for c in range(n_described[i]):
                row[n] = i * n_candidates + c
                start[n] = row[n] * np.uint64(n_features)
                total[n] = np.float32(0.0)
                n += 1
        for tree in range(len(root)):
            at[:n] = root[tree]
            for _ in range(depth[tree]):
                for r in range(n):
                    node = np.uint64(at[r])
                    at[r] = child[node] + (flat[start[r] + np.uint64(column[node])] > threshold[node])
            for r in range(n):
                total[r] += value[np.uint64(at[r])]
        for r in range(n):
            score[row[r]] = total[r]
