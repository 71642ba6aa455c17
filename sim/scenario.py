"""Scenarios: what a simulated run is, read from TOML; everything that is not named keeps its default.

The shipped ones stand in ``sim/scenarios/``; docs/simulation.md explains every table. A key that is not known is
refused, so that a slip of the pen is not a silent default.
"""

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from datetime import date, timedelta
from importlib.resources import files
from typing import Any, Literal, TypeVar, get_args, get_type_hints

import msgspec

from campaigns.campaign import OfferKind, TriggerOn
from kernel.errors import InputRefusedError
from sim.dates import LAST_DAY, SURVEY_DAY
from sim.delivery import DeliverySpec
from sim.layout import MallSpec
from sim.presets import MALLS, RADIOS
from sim.radio_spec import Ageing, RadioSpec
from sim.schedules import PhoneMix
from sim.tills import TillSpec

T = TypeVar("T")
_FOLDER = "scenarios"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class ScenarioError(InputRefusedError):
    """A scenario that cannot be run as written; the message names the key."""

    code = "invalid_scenario"


@dataclass(frozen=True, slots=True)
class SurveySpec:
    """How the mall was surveyed before the first day: phones, and scans a store of all phones together."""

    phones: int = 3
    scans_per_store: int = 45

    def __post_init__(self) -> None:
        if not (1 <= self.phones <= 100 and 1 <= self.scans_per_store <= 1_000):
            raise ValueError("expected survey.phones within 1..100 and survey.scans_per_store within 1..1000")


@dataclass(frozen=True, slots=True)
class CrowdSpec:
    """Who comes.

    Args:
        phones_per_day: shoppers whose phones scan, each mall; the more people there are, the smaller their share.
        visits_per_day: persons who come to each mall on a mean day, of whom the above are a part; None for three times
            the phones, which leaves enough on the weakest day.
    """

    phones_per_day: int = 300
    visits_per_day: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.phones_per_day <= 20_000:
            raise ValueError("expected crowd.phones_per_day within 1..20000")
        if self.visits_per_day is not None and not self.phones_per_day <= self.visits_per_day <= 1_000_000:
            raise ValueError("expected crowd.visits_per_day from phones_per_day to 1000000")


@dataclass(frozen=True, slots=True)
class CampaignSpec:
    """One campaign, live from the first day to the last; ``store`` counts the venue's stores from 0."""

    name: str
    store: int
    title: str = "A coupon for you"
    trigger: TriggerOn = "enter"
    dwell_s: int | None = None
    at: Literal["store", "venue"] = "venue"
    budget: int | None = 1_000
    per_person: int = 1
    offer: OfferKind = "percentage"
    value: int = 20
    currency: str | None = None
    valid_s: int = 3 * 3_600

    def __post_init__(self) -> None:
        if (self.budget is not None and self.budget < 0) or self.per_person < 1 or self.valid_s < 1:
            raise ValueError("expected a campaign's budget from 0 on, per_person and valid_s from 1 on")


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to the mall's radios in the night before a day, counted from 0."""

    before_day: int
    ageing: Ageing = field(default_factory=Ageing)


@dataclass(frozen=True, slots=True)
class RogueSpec:
    """Phones that lie: each sends scans that were heard elsewhere, or never.

    Args:
        replays: send what a phone heard in some store, from anywhere, as their own.
        invents: send addresses that nobody has surveyed.
        jumps: send scans of one store after the other, further apart than anyone walks.
        period_s: between two scans of one.
    """

    replays: int = 0
    invents: int = 0
    jumps: int = 0
    period_s: float = 10.0

    def __post_init__(self) -> None:
        if min(self.replays, self.invents, self.jumps) < 0 or self.n > 1_000 or not 1.0 <= self.period_s <= 86_400.0:
            raise ValueError("expected up to 1000 rogues, none less than 0, and rogues.period_s within 1..86400")

    @property
    def n(self) -> int:
        return self.replays + self.invents + self.jumps


@dataclass(frozen=True, slots=True)
class Assumption:
    """Something the scenario takes for given, with where it comes from; printed in the report."""

    text: str
    source: str = "ours"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run: malls, their people and phones, what is done to them, for how many days, from one seed.

    ``imported`` (in TOML ``mall.imported``) is the id of a venue whose map takes the place of a drawn mall; of ``mall``
    its hours alone count then. Whoever runs the scenario has the venue.
    """

    name: str
    title: str = ""
    about: str = ""
    seed: int = 1
    first_day: date = date(2026, 4, 18)
    days: int = 1
    malls: int = 1
    tick_s: float = 30.0
    imported: str | None = None
    mall: MallSpec = field(default_factory=MallSpec)
    radio: RadioSpec = field(default_factory=RadioSpec)
    ageing: Ageing = field(default_factory=Ageing)
    survey: SurveySpec = field(default_factory=SurveySpec)
    crowd: CrowdSpec = field(default_factory=CrowdSpec)
    mix: PhoneMix = field(default_factory=PhoneMix)
    delivery: DeliverySpec = field(default_factory=DeliverySpec)
    tills: TillSpec = field(default_factory=TillSpec)
    rogues: RogueSpec = field(default_factory=RogueSpec)
    campaigns: tuple[CampaignSpec, ...] = ()
    changes: tuple[Change, ...] = ()
    assumptions: tuple[Assumption, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError("expected a name of small letters, digits and dashes, such as ordinary-day")
        if not (1 <= self.days <= 366 and 1 <= self.malls <= 100 and 1.0 <= self.tick_s <= 600.0 and self.seed >= 0):
            raise ValueError("expected days within 1..366, malls within 1..100, tick_s within 1..600, a seed from 0 on")
        if not SURVEY_DAY <= self.first_day <= LAST_DAY - timedelta(days=self.days):
            raise ValueError(f"expected first_day from {SURVEY_DAY} on, and all days by {LAST_DAY}")
        if not all(0 <= change.before_day < self.days for change in self.changes):
            raise ValueError("expected changes.before_day from 0 to the last day")
        if self.imported is not None and self.malls != 1:
            raise ValueError("expected malls = 1 with mall.imported: there is one such venue")
        if self.mall.opens_hour >= self.mall.closes_hour:
            raise ValueError("expected mall.opens_hour before mall.closes_hour")
        _check_finite(self, "")


def _check_finite(item: Any, where: str) -> None:
    """Refuse numbers that are none, anywhere; only densities may be infinite, for none of a kind."""
    for one in fields(item):
        value, name = getattr(item, one.name), f"{where}{one.name}"
        if is_dataclass(value):
            _check_finite(value, f"{name}.")
        elif isinstance(value, float) and (
            math.isnan(value) or (math.isinf(value) and not one.name.startswith("area_per_"))
        ):
            raise ValueError(f"expected a finite number at {name}, found {value}")


def shipped_scenarios() -> dict[str, str]:
    """Name -> TOML text of every scenario that ships."""
    folder = files("sim").joinpath(_FOLDER)
    found = {item.name.removesuffix(".toml"): item.read_text("utf-8") for item in folder.iterdir()
             if item.name.endswith(".toml")}  # fmt: skip
    return dict(sorted(found.items()))


def parse_scenario(text: str) -> Scenario:
    """Read a scenario.

    Raises:
        ScenarioError: not TOML, an unknown key, or a value of the wrong kind; names it.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"not TOML: {error}") from error
    mall = table.get("mall")
    if "imported" in table:
        raise ScenarioError("unknown key 'imported'; an imported venue is named by mall.imported")
    if isinstance(mall, dict) and "imported" in mall:
        table["imported"] = mall.pop("imported")
        shape = sorted(set(mall) - {"opens_hour", "closes_hour", "utc_offset_h"})
        if shape:
            raise ScenarioError(f"mall.{shape[0]}: an imported venue has a shape of its own; only its hours can be set")
    _preset(table, "mall", MALLS)
    _preset(table, "radio", RADIOS)
    _check_keys(Scenario, table, "")
    try:
        return msgspec.convert(table, Scenario)
    except msgspec.ValidationError as error:
        raise ScenarioError(str(error).replace("`$.", "`").replace(" - at `$`", "")) from error


def _preset(table: dict[str, Any], name: str, known: Mapping[str, Any]) -> None:
    """Put a preset's values under those that the scenario names itself."""
    own = table.get(name)
    if not isinstance(own, dict) or "preset" not in own:
        return
    chosen = own.pop("preset")
    if chosen not in known:
        raise ScenarioError(f"{name}.preset: no {chosen!r}; there are {', '.join(known)}")
    table[name] = asdict(known[chosen]) | own


def _check_keys(kind: type, table: Mapping[str, Any], where: str) -> None:
    hints = get_type_hints(kind)
    names = {item.name for item in fields(kind)}
    for key, value in table.items():
        path = f"{where}{key}"
        if key not in names:
            raise ScenarioError(f"unknown key {path!r}; known are {', '.join(sorted(names))}")
        inner = hints[key]
        if isinstance(value, Mapping) and is_dataclass(inner) and isinstance(inner, type):
            _check_keys(inner, value, f"{path}.")
        elif isinstance(value, list):
            item = next((arg for arg in get_args(inner) if is_dataclass(arg) and isinstance(arg, type)), None)
            for number, part in enumerate(value):
                if item is not None and isinstance(part, Mapping):
                    _check_keys(item, part, f"{path}[{number}].")
