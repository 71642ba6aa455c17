"""Fixes and phones of the scene tests in few words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import strategies as st

from kernel.ids import DeviceRef, LevelId, StoreId, VenueId
from scenes.advance import Advanced, Phones, Told, advance, sweep
from scenes.events import SceneEvent
from scenes.fix import pack_fixes
from scenes.kernels.record import I32
from scenes.places import PlaceBook
from scenes.record import new_record, open_visits, phase_of
from scenes.rules import PlaceKind, SceneRules
from scenes.service_day import ServiceDays
from scenes.state import Fix, Phase, Visit

START = datetime(2026, 11, 22, 10, tzinfo=UTC)
PHONE = DeviceRef("dev_1")
DAYS = ServiceDays({})


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def in_store(
    store: str | None, seconds: float, evidence: float = 0.9, *, level: str = "F1", venue: str = "v", front: str = ""
) -> Fix:
    """A fix in a store; None stands in the walkway."""
    stores = () if store is None else ((StoreId(store), evidence),)
    return Fix(
        at(seconds),
        VenueId(venue),
        LevelId(level),
        stores,
        walkway=0.95 if store is None else 0.05,
        front=StoreId(front) if front else None,
    )


@dataclass
class Run:
    """One phone, and all that was told of it."""

    rules: SceneRules = field(default_factory=SceneRules)
    book: PlaceBook = field(default_factory=PlaceBook)
    record: I32 = field(default_factory=new_record)
    told: list[Told] = field(default_factory=list)

    def take(self, fixes: Sequence[Fix]) -> Advanced:
        done = advance(
            Phones([PHONE], self.record[None]),
            np.zeros(len(fixes), dtype=np.int64),
            pack_fixes(fixes, self.book, DAYS),
            self.rules.packed(),
            self.book,
        )
        self.record = done.records[0]
        self.told += done.told
        return done

    def sweep(self, now: datetime) -> list[SceneEvent]:
        bases = DAYS.base_of_each(self.book, now)
        records, _, told = sweep(Phones([PHONE], self.record[None]), now, bases, self.rules.packed(), self.book)
        self.record = records[0]
        self.told += told
        return [one.event for one in told]

    @property
    def open(self) -> dict[PlaceKind, Visit]:
        return open_visits(self.record, PHONE, self.book)

    @property
    def phase(self) -> Phase:
        return phase_of(self.record)[0]

    @property
    def events(self) -> list[SceneEvent]:
        return [one.event for one in self.told]

    @property
    def visits(self) -> list[Visit]:
        """The last word on each, in the order in which they began."""
        last = {one.visit.visit_id: one.visit for one in self.told if one.visit is not None}
        last |= {visit.visit_id: visit for visit in self.open.values()}
        return list(last.values())

    def of_store(self) -> list[str]:
        return [e.type for e in self.events if e.place is not None and e.place.kind is PlaceKind.STORE and e.visit_id]


def run(fixes: Sequence[Fix], rules: SceneRules | None = None) -> Run:
    """A phone that nothing was known of, after its fixes."""
    made = Run(rules or SceneRules())
    made.take(fixes)
    return made


steps = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None, "lost", "away"]),
        st.one_of(st.integers(1, 30), st.integers(0, 400), st.integers(0, 9_000)),
        st.one_of(st.just(0.9), st.floats(0, 1)),
    ),
    max_size=60,
)


def fixes_from(draws: Sequence[tuple[str | None, int, float]], *, strictly: bool = True) -> list[Fix]:
    """Fixes in the order of their instants, no two of one instant where ``strictly``."""
    seconds, fixes = 0, []
    for place, wait, evidence in draws:
        seconds += max(wait, 1 if strictly else 0)
        if place == "lost":
            fixes.append(Fix(at(seconds)))
        elif place == "away":
            fixes.append(in_store("x", seconds, evidence, venue="w"))
        else:
            fixes.append(in_store(place, seconds, evidence, front="b" if evidence > 0.5 else "c"))
    return fixes
