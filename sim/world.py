"""A seed's whole world: the mall, its radio, the ways through it; and its survey, its days."""

import math
from dataclasses import dataclass, replace
from datetime import date, datetime

import numpy as np

from fingerprints.scan import LabelledScan
from sim.cards import CardPlan
from sim.dates import EARLIEST_DAY, SURVEY_DAY, Calendar, count_ageings
from sim.grid import CELL_M
from sim.history import History
from sim.imported import import_mall
from sim.imported_spec import ImportedSpec, OpenHours
from sim.layout import MallSpec
from sim.listening import PhoneRadio, draw_phones
from sim.mall import SimulatedMall, make_mall
from sim.people import PeopleSpec, draw_people
from sim.radio import RadioField, aged, make_radio_field
from sim.radio_spec import Ageing, RadioSpec
from sim.rhythm import mean_visits_a_day
from sim.shoppers import Shopper, plan_day
from sim.stores import make_stores
from sim.survey import SURVEY_AT, walk_survey
from sim.visit_spec import VisitSpec
from sim.walking import WalkingGraph, make_walking_graph
from venues.model import Venue

_MALL, _RADIO, _SURVEY, _DAY, _TICK, _PERSON, _AGEING, _CROWD, _PEOPLE = range(9)
"""Each part draws from its own stream of the seed, so that a change in one leaves the others as they were
(``_DAY`` drew shoppers who had no homes; its number is not given again)."""
_SAMPLE_HOUSEHOLDS = 8_192
"""How often a household comes is reckoned from these: to 1 % of itself."""
_MOST_RADIO_CELLS = 100_000
"""Of all levels together; a thousand radios in each are 400 MB."""
_VISITS_A_SHOPPER = 3.0
"""Four visits in five carry a phone, and the weakest day has over half a mean day's; with a margin."""
_FEWEST_SHOPPERS = 100


@dataclass(frozen=True)
class World:
    """What a seed makes. Two worlds of the same arguments are the same, in any process.

    The survey hears ``survey_radio``; shoppers come some weeks later and hear ``radio``. ``radio_on`` has other dates.
    """

    seed: int
    mall: SimulatedMall
    survey_radio: RadioField
    radio: RadioField
    graph: WalkingGraph
    ageing: Ageing

    def radio_on(self, on: date) -> RadioField:
        """The radios of a date (``sim/dates.py``); each ageing after the first takes seconds.

        Raises:
            ValueError: the mall does not exist on this date.
        """
        n_ageings = count_ageings(on)
        field = self.radio if n_ageings else self.survey_radio
        for number in range(2, n_ageings + 1):
            field = aged(field, self.mall.venue, self.ageing, np.random.default_rng([self.seed, _AGEING, number]))
        return field

    def survey_phones(self, n: int) -> list[PhoneRadio]:
        """The phones that survey, the same on each date; nobody else has them."""
        return draw_phones(n, self.survey_radio.spec, np.random.default_rng([self.seed, _SURVEY]))

    def survey(
        self, *, phones: int = 3, scans_per_store: int = 45, on: date = SURVEY_DAY, radio: RadioField | None = None
    ) -> list[LabelledScan]:
        """The survey of this world on a date; always the same one.

        Another date has other walks, and the date in their names, by the same phones.

        Args:
            radio: that of ``on``, where it is there already.
        """
        first = on == SURVEY_DAY
        return walk_survey(
            self.mall,
            self.radio_on(on) if radio is None else radio,
            np.random.default_rng([self.seed, _SURVEY] if first else [self.seed, _SURVEY, on.toordinal()]),
            phones=phones,
            scans_per_store=scans_per_store,
            graph=self.graph,
            starts_at=datetime.combine(on, SURVEY_AT.timetz()),
            listeners=None if first else self.survey_phones(phones),
            prefix="" if first else f"{on}-",
        )

    def history(
        self,
        *,
        visits_a_day: float = 3_000.0,
        people: PeopleSpec | None = None,
        visits: VisitSpec | None = None,
        calendar: Calendar | None = None,
        cards: tuple[CardPlan, ...] = (),
    ) -> History:
        """The people round this mall, and their days (``make_history``).

        The default is a quarter of a visit a square metre of stores in the default mall; ten times as many would wait
        long for tables there.
        """
        history = make_history(self.seed, self.mall, self.graph, visits_a_day, people=people, calendar=calendar)
        return replace(history, visit_spec=visits or VisitSpec(), cards=cards)

    def shoppers(self, day: int, n_shoppers: int, scan_period_s: float) -> list[Shopper]:
        """The first phones of a day, counted from ``dates.FIRST_DAY``, with their holders; by arrival.

        ``n_shoppers`` also sets how many people live around, so that each day has enough of them; the first are the
        same for any number, but for the queues that the others make.
        """
        history = self.history(visits_a_day=_VISITS_A_SHOPPER * max(n_shoppers, _FEWEST_SHOPPERS))
        records = history.day(day)
        return plan_day(
            history.people, records, self.graph, n_shoppers, spec=self.radio.spec, scan_period_s=scan_period_s
        )

    def tick_rng(self, day: int, tick: int) -> np.random.Generator:
        """The radio's chance in one tick: what is heard does not hang on what happened before."""
        return np.random.default_rng([self.seed, _TICK, day - EARLIEST_DAY, tick])

    def crowd_seed(self, day: int) -> int:
        """Of what the phones of a day have each of their own (``radio.Crowd``)."""
        return int(np.random.default_rng([self.seed, _CROWD, day - EARLIEST_DAY]).integers(2**63))

    def person_rng(self, day: int, index: int) -> np.random.Generator:
        """One shopper's own choices of a day."""
        return np.random.default_rng([self.seed, _PERSON, day - EARLIEST_DAY, index])


def make_world(
    seed: int,
    spec: MallSpec | None = None,
    radio_spec: RadioSpec | None = None,
    *,
    ageing: Ageing | None = None,
    venue_id: str | None = None,
    venue: Venue | None = None,
) -> World:
    """Build the world of a seed; a few seconds of one core for the default mall.

    Args:
        spec: size and shape of the mall; where there is a ``venue``, its hours alone count.
        venue: an imported map to build the world on (``imported.import_mall``).

    Raises:
        UnwalkableVenueError: nobody could walk on the venue's map.
    """
    shape = spec or MallSpec()
    if venue is None:
        mall = draw_mall(seed, shape, venue_id=venue_id)
    else:
        hours = OpenHours(shape.opens_hour, shape.closes_hour, shape.utc_offset_h)
        mall = import_mall(venue, hours, venue_id=venue_id)
    radio = make_radio_field(
        mall.venue,
        radio_spec or RadioSpec(),
        np.random.default_rng([seed, _RADIO]),
        cell_m=CELL_M if venue is None else _radio_cell_m(venue),
    )
    fate = ageing or Ageing()
    later = aged(radio, mall.venue, fate, np.random.default_rng([seed, _AGEING]))
    graph = make_walking_graph(
        mall.venue, mall.entrances_xy_m, mall.bays, has_walls_anywhere=isinstance(mall.spec, ImportedSpec)
    )
    return World(seed, mall, radio, later, graph, fate)


def draw_mall(seed: int, spec: MallSpec, *, venue_id: str | None = None) -> SimulatedMall:
    """The mall of a seed alone."""
    return make_mall(spec, np.random.default_rng([seed, _MALL]), venue_id=venue_id)


def _radio_cell_m(venue: Venue) -> float:
    """The edge of the radio field's cells: a metre, more in large venues, whose means would not fit into memory."""
    west, south, east, north = np.array([level.area.bounds for level in venue.levels]).T
    area_m2 = len(venue.levels) * (east.max() - west.min()) * (north.max() - south.min())
    return CELL_M * max(1, math.ceil(math.sqrt(area_m2 / _MOST_RADIO_CELLS) / CELL_M))


def make_history(
    seed: int,
    mall: SimulatedMall,
    graph: WalkingGraph,
    visits_a_day: float,
    *,
    people: PeopleSpec | None = None,
    calendar: Calendar | None = None,
) -> History:
    """The people round a mall, and their days; some seconds of one core for a large mall's.

    Args:
        visits_a_day: of persons, on a mean day of the first year, by closed form; sets how many households there
            are. The households of a smaller number are the first ones of a larger.
    """
    spec, calendar = people or PeopleSpec(), calendar or Calendar()
    some = draw_people(_SAMPLE_HOUSEHOLDS, spec, seed, _PEOPLE)
    a_household = mean_visits_a_day(some, calendar) / some.n_households
    everybody = draw_people(math.ceil(visits_a_day / a_household), spec, seed, _PEOPLE)
    return History(everybody, make_stores(mall, graph), calendar=calendar)
