"""The numbers that tag records know categories, brands and levels by: given once, stored, and never given anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kernel.clock import to_epoch_us
from kernel.ids import LevelId, StoreId, TenantId, VenueId
from runtime.records.schema import tag_names, visits
from scenes.rules import PlaceKind
from scenes.service_day import DAY_BEGINS, service_day_start
from scenes.tags.category_kinds import is_considered, is_learnt
from scenes.tags.kernels.layout import F64
from scenes.tags.places import TagPlaces
from scenes.tags.shares import MallShares
from venues.model import Store, Venue

Sensitive: TypeAlias = Mapping[VenueId, frozenset[StoreId]]
Kind = Literal["category", "brand", "level"]
_FIRST_DAY: Final = date(1970, 1, 1)
UNMEASURED_DWELL_S: Final = 600.0
"""The usual stay of a category until its own is known. A guess: it moves ``dwell_long`` and ``dwell_short`` alone."""
MEASURED_VISITS: Final = 50
"""Counted visits that a category's usual stay is taken from, once; a median of so many is off by about 15 %."""
MEASURED_OVER: Final = timedelta(days=28)
MOST_MEASURED: Final = 200_000
"""Visits looked at in a night, some 50 MB; in a mall with more in four weeks each category has enough of them."""


def zone_of(name: str | None) -> tzinfo:
    """The time zone of a map; UTC where it tells none."""
    return UTC if name is None else ZoneInfo(name)


def day_of(at: datetime, zone: tzinfo) -> int:
    """The local service day of an instant, in days since 1970."""
    return (service_day_start(at, zone).astimezone(zone).date() - _FIRST_DAY).days


def instant_of(day: float, zone: tzinfo) -> datetime | None:
    """When a service day began; with a fraction, so much later. None for a day that is no day."""
    if not 0.0 < day < 80_000.0:  # not finite is not within either
        return None
    start = datetime.combine(_FIRST_DAY + timedelta(days=int(day)), DAY_BEGINS, zone).astimezone(UTC)
    return start + timedelta(seconds=round((day - int(day)) * 86_400))


@dataclass(slots=True)
class _Name:
    parent: str
    name: str
    base_dwell_s: float | None = None


@dataclass(frozen=True, slots=True)
class Unnamed:
    """What no tag of a tenant may name, since records are of all its venues together.

    Args:
        categories: of which all stores of some venue are sensitive, as those of a listed category are.
        brands: category and name, of which any store is.
    """

    categories: frozenset[str] = frozenset()
    brands: frozenset[tuple[str, str]] = frozenset()


def unnamed_of(maps: Sequence[Venue], sensitive: Sensitive) -> Unnamed:
    """What the sensitive stores of all venues leave unnamed."""
    categories: set[str] = set()
    brands: set[tuple[str, str]] = set()
    for venue in maps:
        told = sensitive.get(venue.id, frozenset())
        categories |= {one.category for one in venue.stores} - {
            one.category for one in venue.stores if one.id not in told
        }
        brands |= {(one.category, one.name) for one in venue.stores if one.id in told}
    return Unnamed(frozenset(categories), frozenset(brands))


class TagBook:
    """One tenant's numbers and maps, for one transaction. Asking for a name that is new gives it the next number."""

    def __init__(
        self, connection: Connection, tenant: TenantId, maps: Sequence[Venue], sensitive: Sensitive | None = None
    ) -> None:
        """Args: sensitive: the sensitive stores of each venue, its own list included."""
        self._connection, self._tenant, self._sensitive = connection, tenant, sensitive or {}
        self._unnamed = unnamed_of(maps, self._sensitive)
        self._venues = {venue.id: venue for venue in maps}
        self._stores = {(venue.id, store.id): store for venue in maps for store in venue.stores}
        self._names: dict[Kind, list[_Name]] = {"category": [], "brand": [], "level": []}
        rows = connection.execute(sa.select(tag_names).where(tag_names.c.tenant_id == tenant).order_by("number"))
        for row in rows:
            self._names[row.kind].append(_Name(row.parent, row.name, row.base_dwell_s))
        self._numbers = {
            (kind, name.parent, name.name): number
            for kind, names in self._names.items()
            for number, name in enumerate(names)
        }

    def zone(self, venue_id: VenueId) -> tzinfo:
        """A venue's time zone; UTC where its map tells none."""
        venue = self._venues.get(venue_id)
        return zone_of(None if venue is None else venue.time_zone)

    def store(self, venue_id: VenueId | None, store_id: str) -> tuple[VenueId, Store] | None:
        """A store of a venue, or of any where none is said; None for one that the map does not have."""
        for where in self._venues if venue_id is None else (venue_id,):
            found = self._stores.get((where, StoreId(store_id)))
            if found is not None:
                return where, found
        return None

    def is_learnt(self, venue_id: VenueId, store: Store) -> bool:
        """Whether visits to a store may be learnt."""
        is_told = store.id in self._sensitive.get(venue_id, frozenset()) or store.category in self._unnamed.categories
        return is_learnt(store.category) and not is_told

    def is_brand_learnt(self, store: Store) -> bool:
        """Whether a store's brand may be; where not, a visit is one to its category alone."""
        return (store.category, store.name) not in self._unnamed.brands

    def known_unnamed(self) -> Unnamed:
        """What is sensitive and has a number: it was learnt before it was, or may have been."""
        return Unnamed(
            frozenset(name for name in self._unnamed.categories if ("category", "", name) in self._numbers),
            frozenset(brand for brand in self._unnamed.brands if ("brand", *brand) in self._numbers),
        )

    def category(self, name: str) -> int:
        """A category's number."""
        return self._number("category", "", name)

    def brand(self, store: Store) -> int:
        """A store's brand: those of one name and category are one."""
        return self.brand_named(store.category, store.name)

    def brand_named(self, category: str, name: str) -> int:
        """The number of a brand of a category."""
        return self._number("brand", category, name)

    def level(self, venue_id: VenueId, level_id: LevelId) -> int:
        """A level's number."""
        return self._number("level", venue_id, level_id)

    def name(self, kind: Kind, number: int) -> str:
        """The name behind a number."""
        return self._names[kind][number].name

    def places(self) -> TagPlaces:
        """The tables of ``scenes.tags`` by these numbers."""
        categories, brands = self._names["category"], self._names["brand"]
        numbers = {one.name: number for number, one in enumerate(categories)}
        return TagPlaces(
            is_sensitive_store=np.zeros(0, dtype=np.uint8),  # what is sensitive never becomes a row: see tag_rows
            is_sensitive_category=np.array([not self._is_named(one.name) for one in categories], dtype=np.uint8),
            base_dwell_s=np.array([one.base_dwell_s or UNMEASURED_DWELL_S for one in categories], dtype=np.float64),
            has_stage=np.array([is_considered(one.name) for one in categories], dtype=np.uint8),
            category_of_brand=np.array([numbers[one.parent] for one in brands], dtype=np.int64),
            n_levels=len(self._names["level"]),
        )

    def shares(self, stored: Mapping[str, Sequence[float]] | None) -> MallShares:
        """The mall's shares as of last night; what has been met since has none yet."""
        known = stored or {}

        def padded(name: str, n: int) -> F64:
            values = list(known.get(name, ()))[:n]
            return np.array(values + [0.0] * (n - len(values)), dtype=np.float64)

        return MallShares(
            category=padded("category", len(self._names["category"])),
            brand=padded("brand", len(self._names["brand"])),
            weekday=padded("weekday", 7),
            band=padded("band", 5),
            level=padded("level", len(self._names["level"])),
        )

    def measured_stays(self, day: int) -> dict[str, float]:
        """The usual stay in seconds of each category that has none yet, by its visits of four weeks before ``day``."""
        missing = {one.name for one in self._names["category"] if one.base_dwell_s is None}
        stays: dict[str, list[float]] = {name: [] for name in missing}
        stay = (visits.c.last_inside_us - visits.c.arrived_us).label("stay_us")
        for venue in self._venues.values():
            category_of = {store.id: store.category for store in venue.stores if store.category in missing}
            until = instant_of(day, self.zone(venue.id))
            if not category_of or until is None:
                continue
            query = sa.select(visits.c.place_id, stay).where(
                visits.c.tenant_id == self._tenant,
                visits.c.arrived_us >= to_epoch_us(until - MEASURED_OVER),
                visits.c.arrived_us < to_epoch_us(until),
                visits.c.venue_id == venue.id,
                visits.c.kind == PlaceKind.STORE.value,
                visits.c.counted,
                visits.c.left_us.is_not(None),
            )
            for row in self._connection.execute(query.order_by(visits.c.arrived_us, visits.c.id).limit(MOST_MEASURED)):
                if row.place_id in category_of:
                    stays[category_of[row.place_id]].append(row.stay_us / 1e6)
        return {
            name: max(float(np.median(found)), 1.0) for name, found in stays.items() if len(found) >= MEASURED_VISITS
        }

    def keep_stays(self, stays_s: Mapping[str, float]) -> None:
        """Write usual stays; what has one keeps it, since what was learnt by it is taken back by it."""
        mine = tag_names.c.tenant_id == self._tenant, tag_names.c.kind == "category"
        for name, stay_s in stays_s.items():
            unknown = tag_names.c.name == name, tag_names.c.base_dwell_s.is_(None)
            self._connection.execute(tag_names.update().where(*mine, *unknown).values(base_dwell_s=stay_s))

    def _is_named(self, category: str) -> bool:
        return is_learnt(category) and category not in self._unnamed.categories

    def _number(self, kind: Kind, parent: str, name: str) -> int:
        key = kind, parent, name
        if key not in self._numbers:
            number = self._numbers[key] = len(self._names[kind])
            self._names[kind].append(_Name(parent, name))
            self._connection.execute(
                tag_names.insert().values(tenant_id=self._tenant, kind=kind, parent=parent, name=name, number=number)
            )
        return self._numbers[key]


def shares_json(shares: MallShares) -> dict[str, list[float]]:
    """The mall's shares as they are stored, by number."""
    return {name: getattr(shares, name).tolist() for name in ("category", "brand", "weekday", "band", "level")}
