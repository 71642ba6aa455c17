"""A mall as the history of its visits needs it: its stores as numbers, and the seconds from each to each."""

from dataclasses import dataclass

import numpy as np

from sim.brands import BRANDS, CATEGORIES
from sim.chance import F64, I64
from sim.likings import brand_of, category_of
from sim.mall import SimulatedMall
from sim.walking import CHANGE_OF_LEVEL_M, WALK_MPS, WalkingGraph

_LEVEL_PULL = 0.3
"""A store one level off the street is entered less by 1 / 1.3, two levels off by 1 / 1.6; ours."""
_LARGE_M2 = 400.0
"""A store larger than this, which no common one is, is entered more by its area over this; as in Huff, "A probabilistic
analysis of shopping center trade areas", 1963, where attraction goes as the area. The size is ours."""


@dataclass(frozen=True)
class Stores:
    """Stores in the venue's order; destinations are the stores, then the entrances, then bays of the car park.

    Attributes:
        category: (n_stores,) index into ``CATEGORIES``.
        brand: (n_stores,) index into ``BRANDS``.
        share: (n_stores,) how the wishes for a category that name no brand fall on its stores; each category sums to 1.
        walk_s: (n_destinations, n_destinations) seconds from one to another, as trajectories walk.
        open_s: how long the mall is open a day.
        n_bays: of the destinations, the last.
    """

    category: I64
    brand: I64
    area_m2: F64
    share: F64
    walk_s: F64
    opens_hour: int
    open_s: float
    n_bays: int = 0

    @property
    def n_stores(self) -> int:
        return len(self.category)

    @property
    def n_entrances(self) -> int:
        return len(self.walk_s) - self.n_stores - self.n_bays

    @property
    def has_category(self) -> F64:
        """(n_categories,) 1 where a store of the category stands here."""
        return (np.bincount(self.category, minlength=len(CATEGORIES)) > 0).astype(np.float64)

    @property
    def brand_share(self) -> F64:
        """(n_brands,) how much of its category each brand's branches here have together; 0 where it has none."""
        return np.asarray(np.bincount(self.brand, weights=self.share, minlength=len(BRANDS)), dtype=np.float64)

    def draw_of_category(self, category: I64, chance: F64) -> I64:
        """A store of each given category, as the shares say; each category must stand here."""
        return _draw(self.category, self.share, category, chance)

    def draw_of_brand(self, brand: I64, chance: F64) -> I64:
        """A branch of each given brand, as the shares say; each brand must stand here."""
        return _draw(self.brand, self.share, brand, chance)


def _draw(label: I64, share: F64, wanted: I64, chance: F64) -> I64:
    """One of the stores with each wanted label."""
    order = np.argsort(label, kind="stable")
    n = np.bincount(label, minlength=int(wanted.max(initial=0)) + 1)
    after = np.cumsum(n)
    sums = np.concatenate([[0.0], np.cumsum(share[order])])
    low, high = sums[after - n][wanted], sums[after][wanted]
    at = np.searchsorted(sums[1:], low + chance * (high - low), side="right")
    found: I64 = order[np.clip(at, (after - n)[wanted], after[wanted] - 1)]
    return found


def make_stores(mall: SimulatedMall, graph: WalkingGraph) -> Stores:
    """The numbers of a mall."""
    listed = mall.venue.stores
    ordinal = {level.id: level.ordinal for level in mall.venue.levels}
    category = np.array([category_of(store) for store in listed], dtype=np.int64)
    area_m2 = np.array([store.area.area for store in listed])
    pull = np.array([1.0 / (1.0 + _LEVEL_PULL * abs(ordinal[store.level_id])) for store in listed])
    pull *= np.maximum(area_m2 / _LARGE_M2, 1.0)
    return Stores(
        category=category,
        brand=np.array([brand_of(store) for store in listed], dtype=np.int64),
        area_m2=area_m2,
        share=pull / np.bincount(category, weights=pull, minlength=len(CATEGORIES))[category],
        walk_s=_walk_seconds(graph),
        opens_hour=mall.spec.opens_hour,
        open_s=(mall.spec.closes_hour - mall.spec.opens_hour) * 3600.0,
        n_bays=graph.n_bays,
    )


def _walk_seconds(graph: WalkingGraph) -> F64:
    """All ways between destinations, walked at once, a step of each at a time."""
    goals = graph.destinations
    n = len(goals)
    towards = np.tile(np.arange(n), (n, 1))
    here = np.tile(goals[:, None], (1, n))
    metres = np.zeros((n, n))
    walking = here != goals[towards]
    while walking.any():
        before = here[walking]
        after = graph.next_of(towards[walking], before)
        if (after < 0).any():
            raise ValueError("a store or entrance cannot be reached from another")
        level, xy_m = graph.place_of(np.concatenate([before, after]))
        m = len(before)
        step_m = np.linalg.norm(xy_m[:m] - xy_m[m:], axis=1)
        metres[walking] += np.where(level[:m] != level[m:], CHANGE_OF_LEVEL_M, step_m)
        here[walking] = after
        walking = here != goals[towards]
    return metres / WALK_MPS
