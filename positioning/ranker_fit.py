"""Train the shared ranker with LightGBM. Training only: serving imports ``ranker.py``, which needs numpy and numba."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from positioning.pairs import PAIR_FEATURES, Pairs
from positioning.radio_map import F32, I32
from positioning.ranker import Ranker, make_ranker

PARAMETERS: dict[str, Any] = {
    "objective": "lambdarank",
    "num_leaves": 24,
    "max_depth": 7,
    "learning_rate": 0.07,
    "min_data_in_leaf": 60,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    "lambdarank_truncation_level": 5,
    "max_bin": 127,
    "use_missing": False,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "seed": 20_261_122,
    "verbosity": -1,
}
"""Most are those of the research (section 2); no feature is ever missing (``kernels/pairs.py`` fills all)."""
N_TREES = 100


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Pairs of one venue: ``feature`` (n_pairs, n_features), group by group; ``is_true`` marks one pair a group."""

    name: str
    feature: F32
    is_true: NDArray[np.bool_]
    group_size: I32


def training_set(name: str, pairs: Pairs, truth: I32) -> TrainingSet:
    """The scans whose true store is among their described candidates, with at least two of them."""
    store = pairs.store[:, : pairs.feature.shape[1]]
    is_store = np.arange(store.shape[1]) < pairs.n_described[:, None]
    is_true = is_store & (store == truth[:, None])
    usable = is_true.any(axis=1) & (is_store.sum(axis=1) > 1)
    is_store, is_true = is_store[usable], is_true[usable]
    return TrainingSet(name, pairs.feature[usable][is_store], is_true[is_store], is_store.sum(axis=1).astype(np.int32))


def fit_booster(sets: Sequence[TrainingSet], n_trees: int = N_TREES, **changed: Any) -> Any:
    """A LightGBM booster over all sets; the same sets give the same trees."""
    import lightgbm

    data = lightgbm.Dataset(
        np.concatenate([part.feature for part in sets]),
        label=np.concatenate([part.is_true for part in sets]).astype(np.int32),
        group=np.concatenate([part.group_size for part in sets]),
        feature_name=list(PAIR_FEATURES),
        params={"max_bin": PARAMETERS["max_bin"], "use_missing": False, "verbosity": -1},
    )
    return lightgbm.train(PARAMETERS | changed, data, num_boost_round=n_trees)


def flatten_booster(booster: Any, trained_on: tuple[str, ...]) -> Ranker:
    """LightGBM's trees as the arrays that ``kernels/trees.py`` walks."""
    root, depth = [], []
    column: list[int] = []
    threshold: list[float] = []
    child: list[int] = []
    value: list[float] = []
    for tree in booster.dump_model()["tree_info"]:
        root.append(len(column))
        deepest = 0
        waiting: list[tuple[dict[str, Any], int, int]] = [(tree["tree_structure"], len(column), 0)]
        for array, filler in ((column, 0), (child, 0)):
            array.append(filler)
        threshold.append(0.0)
        value.append(0.0)
        while waiting:
            node, at, level = waiting.pop()
            deepest = max(deepest, level)
            if "split_feature" not in node:
                column[at], threshold[at], child[at], value[at] = 0, np.inf, at, node["leaf_value"]
                continue
            if node["decision_type"] != "<=" or node["missing_type"] != "None":
                raise ValueError(f"expected plain splits, found {node['decision_type']} {node['missing_type']}")
            left = len(column)
            column += [0, 0]
            threshold += [0.0, 0.0]
            child += [0, 0]
            value += [0.0, 0.0]
            column[at], child[at] = node["split_feature"], left
            threshold[at] = _not_above(node["threshold"])
            waiting.append((node["left_child"], left, level + 1))
            waiting.append((node["right_child"], left + 1, level + 1))
        depth.append(deepest)
    arrays: dict[str, NDArray[Any]] = {
        "root": np.array(root),
        "depth": np.array(depth),
        "column": np.array(column),
        "threshold": np.array(threshold, dtype=np.float32),
        "child": np.array(child),
        "value": np.array(value),
    }
    return make_ranker(arrays, trained_on)


def _not_above(threshold: float) -> float:
    """The greatest float32 that is not above a threshold: float32 features then go where float64 would send them."""
    rounded = np.float32(threshold)
    if float(rounded) > threshold:
        rounded = np.nextafter(rounded, np.float32(-np.inf))
    return float(rounded)
