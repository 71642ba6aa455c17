"""What people do in the mall, as constants; the table in docs/simulation.md says which are anybody's but ours."""

from dataclasses import dataclass, field

from sim.queues import QueueSpec

_STAYS_MIN: dict[str, tuple[float, float]] = {
    "restaurant": (40.0, 0.30),
    "coffee": (25.0, 0.35),
    "beautysalon": (35.0, 0.30),
    "supermarket": (18.0, 0.40),
    "departmentstore": (20.0, 0.50),
    "cinema": (125.0, 0.10),
}
_OTHER_STAY_MIN = (8.0, 0.5)
_PURCHASES: dict[str, tuple[float, float]] = {
    "fashion": (0.18, 280.0),
    "shoes": (0.15, 350.0),
    "jewelry": (0.06, 1_500.0),
    "cosmetics": (0.25, 220.0),
    "electronicappliances": (0.10, 900.0),
    "sportinggoods": (0.18, 320.0),
    "books": (0.30, 60.0),
    "toys": (0.30, 120.0),
    "eyewear.opticians": (0.20, 400.0),
    "homedecor": (0.20, 180.0),
    "restaurant": (0.97, 85.0),
    "coffee": (0.95, 32.0),
    "bakedgoods": (0.80, 35.0),
    "desserts": (0.90, 30.0),
    "pharmacy": (0.65, 60.0),
    "supermarket": (0.85, 90.0),
    "giftshops": (0.25, 80.0),
    "luggage": (0.10, 500.0),
    "beautysalon": (0.85, 160.0),
    "clothing.childrens": (0.25, 200.0),
    "departmentstore": (0.25, 320.0),
    "cinema": (0.95, 48.0),
}


@dataclass(frozen=True, slots=True)
class VisitSpec:
    """A visit to the mall.

    Args:
        arrivals_working, arrivals_off: arrivals by hour of opening, as shares of their sum; stretched over the hours.
        last_arrival_s: nobody comes later than this before closing.
        more_stores: mean of the Poisson number of stores wished for beyond the first.
        stop_s: a plan has at most one store for each of these that are left of the day, and at most ``most_stores``.
        meals: hours of arrival in which the wish for a restaurant is ``meal_pull`` times as strong.
        stays_min: median minutes in a store and the standard deviation of their logarithm, by category.
        shortest_s: of a stay, however late it is.
        purchases: chance that a group buys, and the median basket in the currency's major unit, by category.
        each_pays: categories where each of a group is another basket: a restaurant's table, a row in the cinema.
        basket_sd: of the logarithm of a basket.
        follow_s: how far behind the one before each member of a group walks.
        by_car: share of households who come by car where the mall has a car park; a household always or never does.
    """

    arrivals_working: tuple[float, ...] = (4, 6, 8, 7, 5, 5, 6, 8, 10, 9, 5, 1)
    arrivals_off: tuple[float, ...] = (4, 7, 9, 9, 9, 9, 8, 8, 8, 6, 3, 1)
    last_arrival_s: float = 1_800.0
    more_stores: float = 2.2
    stop_s: float = 720.0
    most_stores: int = 10
    meals: tuple[tuple[float, float], ...] = ((10.5, 12.5), (16.5, 18.5))
    meal_pull: float = 2.0
    stays_min: dict[str, tuple[float, float]] = field(default_factory=lambda: dict(_STAYS_MIN))
    other_stay_min: tuple[float, float] = _OTHER_STAY_MIN
    shortest_s: float = 60.0
    purchases: dict[str, tuple[float, float]] = field(default_factory=lambda: dict(_PURCHASES))
    each_pays: tuple[str, ...] = ("restaurant", "cinema")
    basket_sd: float = 0.6
    follow_s: float = 1.5
    by_car: float = 0.45
    queues: QueueSpec = field(default_factory=QueueSpec)
