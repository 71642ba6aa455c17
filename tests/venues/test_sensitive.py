"""Which stores are sensitive: by category in any spelling of a map, and by the venue's own list."""

import pytest

from kernel.ids import StoreId
from sim.brands import BRANDS
from sim.world import World
from venues.sensitive import SENSITIVE_CATEGORIES, is_sensitive, sensitive_stores


@pytest.mark.parametrize(
    "category",
    [
        "clinic",
        "Clinic",
        "health.dentists",
        "place of worship",
        "churches",
        "daycare",
        "charities:shelter",
        "education",
    ],
)
def test_spellings_of_a_sensitive_category_are_read(category: str) -> None:
    assert is_sensitive(category)


@pytest.mark.parametrize("category", ["shoes", "", "unspecified", "pharmacy", "templates", "books", "glasses"])
def test_other_categories_are_not_sensitive(category: str) -> None:
    assert not is_sensitive(category)


def test_the_list_is_of_spellings_that_a_map_is_reduced_to() -> None:
    assert all(is_sensitive(category) and category.isalnum() for category in SENSITIVE_CATEGORIES)
    assert not any(is_sensitive(brand.category) for brand in BRANDS)


def test_a_listed_store_or_category_is_sensitive_here(small_world: World) -> None:
    venue = small_world.mall.venue
    listed = StoreId(venue.stores[4].id)
    assert sensitive_stores(venue) == frozenset()
    category = venue.stores[0].category
    of_category = {store.id for store in venue.stores if store.category == category}
    assert sensitive_stores(venue, [category.upper()]) == of_category
    assert sensitive_stores(venue, [listed]) == sensitive_stores(None, [listed]) == {listed}
