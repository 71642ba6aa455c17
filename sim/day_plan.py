"""Which day of which mall of a scenario: its date, its opening, its people."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sim.dates import FIRST_DAY
from sim.history import History
from sim.scenario import Scenario
from sim.world import World

_FEWEST = 100.0


@dataclass(frozen=True, slots=True)
class DayPlan:
    """Which day of which mall of a scenario."""

    scenario: Scenario
    mall: int
    day: int

    @property
    def on(self) -> date:
        """The date."""
        return self.scenario.first_day + timedelta(days=self.day)

    @property
    def opens_at(self) -> datetime:
        """When the mall opens, in UTC."""
        return opens_at(self.scenario, self.day)

    @property
    def world_day(self) -> int:
        """The day as the world counts it."""
        return (self.on - FIRST_DAY).days


def opens_at(scenario: Scenario, day: int) -> datetime:
    """When the malls open on a day, in UTC."""
    spec = scenario.mall
    midnight = datetime.combine(scenario.first_day + timedelta(days=day), datetime.min.time(), UTC)
    return midnight + timedelta(hours=spec.opens_hour - spec.utc_offset_h)


def people_of(scenario: Scenario, world: World) -> History:
    """The people round a mall of the scenario, and their days."""
    crowd = scenario.crowd
    return world.history(visits_a_day=crowd.visits_per_day or 3.0 * crowd.phones_per_day + _FEWEST)
