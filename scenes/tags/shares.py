"""How all visits of a mall fall on categories, brands, weekdays, hours and levels: what a person is compared with."""

from dataclasses import dataclass

import numpy as np

from scenes.tags.kernels.layout import (
    BAND,
    BRANDS,
    CATEGORIES,
    F64,
    I64,
    LANDMARK,
    LEVELS,
    MOST_BRANDS,
    MOST_CATEGORIES,
    MOST_LEVELS,
    N_BRAND,
    N_CATEGORY,
    N_LEVEL,
    WEEKDAY,
    WEEKDAY_N,
)
from scenes.tags.places import TagPlaces
from scenes.tags.record import TagStates


@dataclass(frozen=True, slots=True)
class MallShares:
    """Shares by the caller's numbers; 0 for what nobody visited.

    Args:
        category: (n_categories,) of the weights of store visits.
        brand: (n_brands,) of its category's.
        weekday: (7,) of days with a visit, from Monday.
        band: (5,) of visits to the venue, by ``names.BANDS``.
        level: (n_levels,) of visits to levels.
    """

    category: F64
    brand: F64
    weekday: F64
    band: F64
    level: F64

    def __post_init__(self) -> None:
        if len(self.weekday) != 7 or len(self.band) != 5:
            raise ValueError(f"expected 7 weekdays and 5 bands, found {len(self.weekday)} and {len(self.band)}")


@dataclass(frozen=True, slots=True)
class MallWeights:
    """What shares are made of, for some of the people; ``add`` puts those of all together.

    Args:
        landmark: the unit of all weights is 2^landmark, as in the records.
        category, brand, weekday, band, level: as in ``MallShares``, not yet shares.
    """

    landmark: int
    category: F64
    brand: F64
    weekday: F64
    band: F64
    level: F64


def shares_of(states: TagStates, places: TagPlaces) -> MallShares:
    """The shares over everybody, weighted by decay; linear in the people, so it is for once a night.

    What a record's bounded slots dropped is not counted; that is little, as the least slots are dropped.
    """
    return as_shares(weights_of(states, places), places)


def weights_of(states: TagStates, places: TagPlaces) -> MallWeights:
    """The decayed weights of these people."""
    landmark = states.words[:, LANDMARK]
    newest = int(landmark.max(initial=0))
    scale = np.exp2(landmark - np.float64(newest))
    floats = states.floats

    def fixed(first: int, last: int) -> F64:
        return np.asarray(scale @ floats[:, first:last], dtype=np.float64)

    def slots(first: int, most: int, width: int, n: int) -> F64:
        columns = first + width * np.arange(most)
        number = (states.words[:, columns] & 0xFFFF) - 1
        weight = np.where(number >= 0, floats[:, columns + 1] * scale[:, None], 0.0)
        return np.bincount(np.maximum(number, 0).ravel(), weights=weight.ravel(), minlength=n).astype(np.float64)

    return MallWeights(
        landmark=newest,
        category=slots(CATEGORIES, MOST_CATEGORIES, N_CATEGORY, places.n_categories),
        brand=slots(BRANDS, MOST_BRANDS, N_BRAND, places.n_brands),
        weekday=fixed(WEEKDAY, BAND),
        band=fixed(BAND, WEEKDAY_N),
        level=slots(LEVELS, MOST_LEVELS, N_LEVEL, places.n_levels),
    )


def add(one: MallWeights, other: MallWeights) -> MallWeights:
    """The weights of both groups of people, by the same places."""
    newest = max(one.landmark, other.landmark)
    mine, theirs = np.exp2(float(one.landmark - newest)), np.exp2(float(other.landmark - newest))
    return MallWeights(
        landmark=newest,
        category=one.category * mine + other.category * theirs,
        brand=one.brand * mine + other.brand * theirs,
        weekday=one.weekday * mine + other.weekday * theirs,
        band=one.band * mine + other.band * theirs,
        level=one.level * mine + other.level * theirs,
    )


def as_shares(weights: MallWeights, places: TagPlaces) -> MallShares:
    """The shares that weights come to."""
    return MallShares(
        category=_normal(weights.category),
        brand=_within(weights.brand, places.category_of_brand),
        weekday=_normal(weights.weekday),
        band=_normal(weights.band),
        level=_normal(weights.level),
    )


def _normal(weight: F64) -> F64:
    shares: F64 = np.maximum(weight, 0.0) / max(float(np.maximum(weight, 0.0).sum()), 1e-300)
    return shares


def _within(brand: F64, category: I64) -> F64:
    brand = np.maximum(brand, 0.0)
    total = np.bincount(category, weights=brand, minlength=int(category.max(initial=0)) + 1)
    shares: F64 = brand / np.maximum(total[category], 1e-300)
    return shares
