"""What the tags must know of a mall: which places are sensitive, how long one stays, what one decides on for long."""

from dataclasses import dataclass

import numpy as np

from scenes.tags.kernels.layout import F64, I64, MOST_SLOT_ID, U8


@dataclass(frozen=True, slots=True)
class TagPlaces:
    """Tables by the caller's numbers.

    Args:
        is_sensitive_store: (n_stores,) 1 for a clinic, a place of worship, a school...: nothing of it is learnt.
        is_sensitive_category: (n_categories,) likewise.
        base_dwell_s: (n_categories,) the usual counted stay, over 0; the median is meant.
        has_stage: (n_categories,) 1 where people decide over days (furniture), 0 where not (coffee).
        category_of_brand: (n_brands,).
        n_levels: over all venues.
    """

    is_sensitive_store: U8
    is_sensitive_category: U8
    base_dwell_s: F64
    has_stage: U8
    category_of_brand: I64
    n_levels: int

    def __post_init__(self) -> None:
        n = len(self.base_dwell_s)
        if len(self.is_sensitive_category) != n or len(self.has_stage) != n:
            raise ValueError("expected tables of categories of one length")
        if not (self.base_dwell_s > 0).all():
            raise ValueError("expected base stays over 0")
        if max(n, len(self.category_of_brand), self.n_levels) > MOST_SLOT_ID:
            raise ValueError(f"expected at most {MOST_SLOT_ID} categories, brands and levels")
        if not ((self.category_of_brand >= 0) & (self.category_of_brand < n)).all():
            raise ValueError("expected a known category of each brand")

    @property
    def n_categories(self) -> int:
        return len(self.base_dwell_s)

    @property
    def n_brands(self) -> int:
        return len(self.category_of_brand)


def plain_places(n_stores: int, base_dwell_s: F64, category_of_brand: I64, n_levels: int) -> TagPlaces:
    """Places of which none is sensitive and all categories have stages."""
    n = len(base_dwell_s)
    none = np.zeros(n, dtype=np.uint8)
    return TagPlaces(
        np.zeros(n_stores, dtype=np.uint8), none, base_dwell_s, none + np.uint8(1), category_of_brand, n_levels
    )
