"""The people round a simulated mall: households, what each member likes, allows and does, drawn from a seed.

Households are drawn in chunks with a stream each, so the first n are the same people in a population of any size.
What holds for a person here is the truth that measurements are compared with: rates, favourites, answers to cards.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sim.brands import BRANDS, CATEGORIES, EVERYDAY_CATEGORIES
from sim.chance import F64, I64, stream_key, uniform
from sim.dates import IS_FREE, LEARNS, WORKS

AgeBand: TypeAlias = Literal["child", "teen", "adult", "unknown"]

AGE_BANDS: tuple[AgeBand, ...] = ("adult", "teen", "child", "unknown")
ADULT, TEEN, CHILD, UNKNOWN = range(4)
CONSENT_CHOICES: tuple[tuple[str, ...], ...] = ((), ("visits", "analytics"), ("visits", "analytics", "marketing"))
MARKETING = 2
"""The choice that allows cards."""
TIERS: tuple[str, ...] = ("none", "member", "silver", "gold")
NOBODY = -1
_CHUNK = 2_048
_CHILD_UNTIL_Y = 14
_ADULT_FROM_Y = 18
_OLD_FROM_Y = 62
_CHILD_LIKES = {"toys": 6.0, "desserts": 3.0, "clothing.childrens": 2.0, "books": 2.0, "restaurant": 1.0}
_DAYS_A_YEAR = 365.0


@dataclass(frozen=True, slots=True)
class PeopleSpec:
    """What the population is like. The table in docs/simulation.md gives each constant's source; most are ours.

    Args:
        households: adults, children, old people, and the share of such households.
        distance_km: median way from home and the standard deviation of its logarithm.
        reach_km: over this way the rate falls by e.
        own_visits_per_day: mean rate at which someone of 14 or more who lives at the door comes by their own wish.
        rate_shape: of the gamma over people's rates; under 1 most come rarely and few often.
        most_visits_per_day: no rate is higher.
        regularity: shares of people for whom every 1st, 2nd, 3rd, 4th urge becomes a visit; 1 has no memory.
        lapsed: share of time in which a person does not come at all, in spells of ``spell_blocks`` four-week blocks.
        joins: chance that a member goes along when another goes, on working days and on days off.
        works: share of adults under 62 whose week has a weekend.
        concentration: of the Dirichlet over categories; small for strong favourites.
        loyalty: beta of the chance that a person takes the favourite brand once the category is chosen.
        spend_sd: standard deviation of the logarithm of a person's spending level.
        phone_by_age: upper age and the share with a phone.
        shared_phone, shared_member: share of second adults who use the first one's.
        member: share of adults who are members of the mall.
        hides_age: share of those from 14 who do not tell their age.
        consents: shares of ``CONSENT_CHOICES`` for everyone but children.
        answers_cards: beta of the true effect of a shown card: the chance that it makes someone go there who would
            not have gone on this visit.
        returns_for_cards: beta of the other one: the chance that it brings a visit to the mall that had not been.
        tier_spend: expected spending a year, in the currency's major unit, from which a member is silver and gold.
    """

    households: tuple[tuple[int, int, int, float], ...] = (
        (1, 0, 0, 0.16),
        (0, 0, 1, 0.06),
        (2, 0, 0, 0.17),
        (0, 0, 2, 0.08),
        (1, 1, 0, 0.05),
        (2, 1, 0, 0.24),
        (2, 2, 0, 0.10),
        (2, 1, 1, 0.09),
        (2, 1, 2, 0.05),
    )
    distance_km: tuple[float, float] = (3.5, 0.8)
    reach_km: float = 10.0
    own_visits_per_day: float = 0.07
    rate_shape: float = 0.9
    most_visits_per_day: float = 0.6
    regularity: tuple[float, ...] = (0.4, 0.3, 0.2, 0.1)
    lapsed: float = 0.15
    spell_blocks: tuple[int, int] = (3, 9)
    joins: tuple[float, float] = (0.3, 0.45)
    works: float = 0.75
    concentration: float = 4.0
    loyalty: tuple[float, float] = (2.0, 3.0)
    spend_sd: float = 0.5
    phone_by_age: tuple[tuple[int, float], ...] = ((7, 0.0), (14, 0.4), (70, 0.97), (200, 0.8))
    shared_phone: float = 0.03
    shared_member: float = 0.15
    member: float = 0.45
    hides_age: float = 0.10
    consents: tuple[float, float, float] = (0.20, 0.15, 0.65)
    answers_cards: tuple[float, float] = (4.0, 3.0)
    returns_for_cards: tuple[float, float] = (1.0, 24.0)
    tier_spend: tuple[float, float] = (4_000.0, 12_000.0)


CATEGORY_SHARES: dict[str, float] = {
    "fashion": 0.16, "shoes": 0.05, "jewelry": 0.03, "cosmetics": 0.06, "electronicappliances": 0.05,
    "sportinggoods": 0.04, "books": 0.04, "toys": 0.03, "eyewear.opticians": 0.02, "homedecor": 0.03,
    "restaurant": 0.16, "coffee": 0.08, "bakedgoods": 0.04, "desserts": 0.04, "pharmacy": 0.02, "supermarket": 0.08,
    "giftshops": 0.02, "luggage": 0.01, "beautysalon": 0.02, "clothing.childrens": 0.02,
}  # fmt: skip
"""Mean taste of grown people; ours. The sum is 1."""
ANCHOR_SHARES: dict[str, tuple[float, float]] = {"departmentstore": (0.10, 0.02), "cinema": (0.06, 0.08)}
"""Mean taste of grown people and of children for stores that are anchors only, on top of the above; ours. Each person's
is an exponential draw about it: some never go to the cinema, some often."""
_ANCHOR_TASTE, _ANCHOR_BRAND = 400, 401
MEAN_BASKET = 155.0
"""Mean spending of a visit to the mall that tiers reckon with, in the currency's major unit; ours."""


@dataclass(frozen=True)
class Population:
    """Everybody, as arrays over people; a household's members stand together, grown ones first.

    Attributes:
        household: whose member each person is.
        first_of: (n_households + 1,) where each household's people begin.
        rate: own visits a day on an average day out of a lapse; 0 for children.
        regularity: every how many urges a visit comes of; gaps are gamma of this shape.
        week: ``WORKS``, ``LEARNS`` or ``IS_FREE``.
        device: the person whose phone this one carries; -1 for no phone.
        member: the person under whose membership of the mall this one pays; -1 for none.
        band: index into ``AGE_BANDS``, as told to the mall.
        consent: index into ``CONSENT_CHOICES``, of the phone.
        taste: (n, n_categories) running sums of favourite categories; 1 at the last everyday one, anchors' on top.
        brand_u: (n, n_categories) in [0, 1): which brand of each category is the favourite (``favourite_brand``).
        loyalty: chance that a wish for a category is a wish for its favourite brand.
        spend: factor on what others pay for the same basket.
        answers_cards, returns_for_cards: see ``PeopleSpec``.
    """

    seed: int
    spec: PeopleSpec
    household: I64
    first_of: I64
    distance_km: F64
    age_y: NDArray[np.int16]
    band: NDArray[np.int8]
    rate: F64
    regularity: NDArray[np.int8]
    week: NDArray[np.int8]
    spell_blocks: NDArray[np.int8]
    spell_offset: NDArray[np.int8]
    device: I64
    member: I64
    consent: NDArray[np.int8]
    taste: NDArray[np.float32]
    brand_u: NDArray[np.float32]
    loyalty: F64
    spend: F64
    answers_cards: F64
    returns_for_cards: F64

    def __len__(self) -> int:
        return len(self.household)

    @property
    def n_households(self) -> int:
        return len(self.first_of) - 1

    @property
    def takes_cards(self) -> NDArray[np.bool_]:
        """Who may be shown a card: a phone that allows marketing, and an age known to be 14 or more."""
        known = (self.band == ADULT) | (self.band == TEEN)
        allowed: NDArray[np.bool_] = known & (self.device >= 0) & (self.consent == MARKETING)
        return allowed

    @property
    def tier(self) -> NDArray[np.int8]:
        """Index into ``TIERS``: by what the person can be expected to spend in a year."""
        a_year = self.rate * _DAYS_A_YEAR * MEAN_BASKET * self.spend
        level = 1 + np.searchsorted(self.spec.tier_spend, a_year, side="right")
        return np.where(self.member >= 0, level, 0).astype(np.int8)

    def favourite_brand(self, person: I64, category: I64) -> I64:
        """The favourite brand of a category of each person, as an index into ``BRANDS``."""
        n_brands = np.bincount([CATEGORIES.index(brand.category) for brand in BRANDS], minlength=len(CATEGORIES))
        first = np.cumsum(n_brands) - n_brands
        found: I64 = first[category] + (self.brand_u[person, category] * n_brands[category]).astype(np.int64)
        return found

    def category_share(self, person: I64) -> F64:
        """(n, n_categories) how likely each person's wish is of each category."""
        share: F64 = np.diff(self.taste[person].astype(np.float64), axis=1, prepend=0.0)
        return share


def draw_people(n_households: int, spec: PeopleSpec, seed: int, stream: int) -> Population:
    """Draw the first ``n_households`` households of a seed.

    Args:
        stream: number of the population's stream of the seed.
    """
    chunks = [
        _draw_chunk(min(_CHUNK, n_households - first), spec, np.random.default_rng([seed, stream, first // _CHUNK]))
        for first in range(0, n_households, _CHUNK)
    ]
    sizes = np.concatenate([chunk["size"] for chunk in chunks])
    joined = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0] if name != "size"}
    first_of = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    household = np.repeat(np.arange(n_households), sizes)
    start = first_of[household]
    for name in ("device", "member"):  # within the household as drawn; from here on among all
        joined[name] = np.where(joined[name] >= 0, start + joined[name], NOBODY)
    joined["taste"], joined["brand_u"] = _with_anchors(joined["taste"], joined["brand_u"], joined["band"], seed)
    joined["consent"] = _of_the_phone(joined["consent"], joined["device"], joined["band"])
    return Population(seed=seed, spec=spec, household=household, first_of=first_of, **joined)


def _with_anchors(
    taste: NDArray[np.float32], brand_u: NDArray[np.float32], band: NDArray[np.int8], seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Tastes and favourite brands of what only anchors have, drawn by counter: the rest stays as it was drawn."""
    number = np.arange(len(CATEGORIES) - len(EVERYDAY_CATEGORIES))
    person = np.arange(len(band))[:, None]
    shares = np.array([ANCHOR_SHARES[name] for name in CATEGORIES[len(EVERYDAY_CATEGORIES) :]])
    mean = np.where((band == CHILD)[:, None], shares[:, 1], shares[:, 0])
    weight = -mean * np.log1p(-uniform(stream_key(seed, _ANCHOR_TASTE), person, number))
    further = taste[:, -1:].astype(np.float64) + np.cumsum(weight, axis=1)
    brand = uniform(stream_key(seed, _ANCHOR_BRAND), person, number) * (1.0 - 1e-6)  # stays under 1 as a float32
    return np.hstack([taste, further.astype(np.float32)]), np.hstack([brand_u, brand.astype(np.float32)])


def _of_the_phone(consent: NDArray[np.int8], device: I64, band: NDArray[np.int8]) -> NDArray[np.int8]:
    """A phone says what its owner allows; no phone, and no child, allows anything."""
    said = np.where(device >= 0, consent[np.maximum(device, 0)], 0)
    return np.where(band == CHILD, 0, said).astype(np.int8)


def _draw_chunk(n: int, spec: PeopleSpec, rng: np.random.Generator) -> dict[str, NDArray[np.generic]]:
    """One chunk's people; whole chunks are drawn and cut, so that a part of one is the same people."""
    kinds = np.array(spec.households)
    kind = rng.choice(len(kinds), size=_CHUNK, p=kinds[:, 3] / kinds[:, 3].sum())
    grown, young, old = (kinds[kind, i].astype(np.int64) for i in range(3))
    size = grown + young + old
    house = np.repeat(np.arange(_CHUNK), size)
    rank = np.arange(len(house)) - np.repeat(np.cumsum(size) - size, size)
    is_old = (rank >= grown[house]) & (rank < (grown + old)[house])
    is_young = rank >= (grown + old)[house]
    n_people = len(house)
    age_y = np.where(is_old, rng.integers(_OLD_FROM_Y, 86, n_people), rng.integers(22, _OLD_FROM_Y, n_people))
    age_y = np.where(is_young, rng.integers(0, _ADULT_FROM_Y, n_people), age_y)
    is_child, is_teen = age_y < _CHILD_UNTIL_Y, (age_y >= _CHILD_UNTIL_Y) & is_young
    far_km = spec.distance_km[0] * np.exp(spec.distance_km[1] * rng.standard_normal(_CHUNK))
    median_rate = spec.own_visits_per_day * np.exp(-far_km / spec.reach_km)[house]
    rate = np.minimum(median_rate * rng.gamma(spec.rate_shape, 1 / spec.rate_shape, n_people), spec.most_visits_per_day)
    week = np.where(is_young, LEARNS, np.where(is_old | (rng.random(n_people) >= spec.works), IS_FREE, WORKS))
    spell = rng.integers(spec.spell_blocks[0], spec.spell_blocks[1] + 1, n_people)
    band = np.where(is_child, CHILD, np.where(rng.random(n_people) < spec.hides_age, UNKNOWN, ADULT))
    device, member = _draw_things(age_y, rank, spec, rng)
    drawn: dict[str, NDArray[np.generic]] = {
        "distance_km": far_km[house],
        "age_y": age_y.astype(np.int16),
        "band": np.where(is_teen & (band == ADULT), TEEN, band).astype(np.int8),
        "rate": np.where(is_child, 0.0, rate),
        "regularity": (1 + rng.choice(len(spec.regularity), size=n_people, p=spec.regularity)).astype(np.int8),
        "week": week.astype(np.int8),
        "spell_blocks": spell.astype(np.int8),
        "spell_offset": rng.integers(0, spell).astype(np.int8),
        "device": device,
        "member": member,
        "consent": rng.choice(len(CONSENT_CHOICES), size=n_people, p=spec.consents).astype(np.int8),
        "taste": _draw_tastes(is_child, spec, rng),
        "brand_u": rng.random((n_people, len(EVERYDAY_CATEGORIES)), dtype=np.float32),
        "loyalty": rng.beta(*spec.loyalty, n_people),
        "spend": np.exp(spec.spend_sd * rng.standard_normal(n_people)),
        "answers_cards": rng.beta(*spec.answers_cards, n_people),
        "returns_for_cards": rng.beta(*spec.returns_for_cards, n_people),
    }
    drawn = {name: values[: int(size[:n].sum())] for name, values in drawn.items()}
    return drawn | {"size": size[:n]}


def _draw_things(
    age_y: I64, rank: I64, spec: PeopleSpec, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Whose phone and whose membership each uses, as a rank within the household; -1 for none."""
    upper, share = np.array(spec.phone_by_age).T
    has_phone = rng.random(len(age_y)) < share[np.searchsorted(upper, age_y, side="right")]
    is_member = (age_y >= _ADULT_FROM_Y) & (rng.random(len(age_y)) < spec.member)
    is_second = (rank == 1) & (age_y >= _ADULT_FROM_Y)
    shares = rng.random((2, len(age_y))) < np.array([[spec.shared_phone], [spec.shared_member]])
    things = []
    for has, lends in zip((has_phone, is_member), shares, strict=True):
        borrows = is_second & lends & np.roll(has, 1)
        things.append(np.where(borrows, 0, np.where(has, rank, NOBODY)).astype(np.int64))
    return things[0], things[1]


def _draw_tastes(is_child: NDArray[np.bool_], spec: PeopleSpec, rng: np.random.Generator) -> NDArray[np.float32]:
    grown = np.array([CATEGORY_SHARES[name] for name in EVERYDAY_CATEGORIES])
    young = grown * np.array([_CHILD_LIKES.get(name, 0.2) for name in EVERYDAY_CATEGORIES])
    base = np.where(is_child[:, None], young / young.sum(), grown / grown.sum())
    weight = rng.standard_gamma(spec.concentration * base) + 1e-12
    running = np.cumsum(weight / weight.sum(axis=1, keepdims=True), axis=1)
    running[:, -1] = 1.0
    return running.astype(np.float32)
