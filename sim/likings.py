"""What people take a store of any map for: one of the categories and brands that they have a taste for.

A simulated mall's stores are of these anyway. A real map has categories of its own, often coarse ones; what it calls
its stores stays as it is, only people's wishes fall on them as said here.
"""

import zlib

import numpy as np

from sim.brands import BRANDS, CATEGORIES, EVERYDAY_CATEGORIES
from sim.people import CATEGORY_SHARES
from venues.model import Store

_SAME: dict[str, str] = {
    "apparel": "fashion", "clothing": "fashion", "fashionaccessories": "fashion", "clothing.mens": "fashion",
    "clothing.womens": "fashion", "shoestore": "shoes", "watches": "jewelry", "perfume": "cosmetics",
    "skincare": "cosmetics", "electronics": "electronicappliances", "mobilephones": "electronicappliances",
    "computersandaccessories": "electronicappliances", "sportsgoods": "sportinggoods", "sportswear": "sportinggoods",
    "gym": "sportinggoods", "bookstore": "books", "stationery": "books", "education": "books", "toystore": "toys",
    "playcenter": "toys", "entertainment": "cinema", "theater": "cinema", "theater.movie": "cinema",
    "opticians": "eyewear.opticians", "furniture": "homedecor", "furniturestore": "homedecor",
    "foodcourt": "restaurant", "foodservice": "restaurant", "fastfood": "restaurant", "cafe": "coffee",
    "coffee.tea": "coffee", "tea": "coffee", "bubbletea": "coffee", "bakery": "bakedgoods", "cakes": "bakedgoods",
    "dessert": "desserts", "icecream": "desserts", "healthcare": "pharmacy", "pharmacystore": "pharmacy",
    "grocery": "supermarket", "grocerystore": "supermarket", "hypermarket": "supermarket",
    "conveniencestore": "supermarket", "gifts": "giftshops", "souvenirs": "giftshops", "leathergoods": "luggage",
    "beautyspas": "beautysalon", "hairstylist": "beautysalon", "services": "beautysalon",
    "babyclothesandsupplies": "clothing.childrens",
}  # fmt: skip
"""Categories that mean one of ours, or are nearest to it in how often and how long people go there."""
_FOOD = frozenset({"restaurant", "coffee", "bakedgoods", "desserts", "supermarket"})


def category_of(store: Store) -> int:
    """Index into ``CATEGORIES``.

    A store of a category that is none of ours and means none of them ("shopping", "unspecified") is taken for one that
    sells goods, as often as people have a taste for it; which one hangs on the store's id alone.
    """
    known = _SAME.get(store.category, store.category)
    if known in CATEGORIES:
        return CATEGORIES.index(known)
    goods = [name for name in EVERYDAY_CATEGORIES if name not in _FOOD]
    sums = np.cumsum([CATEGORY_SHARES[name] for name in goods])
    at = int(np.searchsorted(sums, _chance(store.id) * sums[-1], side="right"))
    return CATEGORIES.index(goods[min(at, len(goods) - 1)])


def brand_of(store: Store) -> int:
    """Index into ``BRANDS``: the store's own, else one of its category, the same for the same name."""
    category = CATEGORIES[category_of(store)]
    same = [i for i, brand in enumerate(BRANDS) if brand.category == category]
    named = [i for i in same if BRANDS[i].name_en == store.name]
    return named[0] if named else same[int(_chance(store.name) * len(same))]


def _chance(text: str) -> float:
    """In [0, 1), the same for the same text in any process."""
    return zlib.crc32(text.encode()) / 2.0**32
