"""A day written down as it happens: the truth beside what the system said, and at the end what the desk knows of it."""

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from atrium_client.wire import Answer, Position
from scenes.rules import SceneRules
from sim.checkout import Redeeming
from sim.outcome import (
    CARD,
    EVENT,
    EVENTS,
    PAYMENT,
    PLACES,
    REASONS,
    REDEMPTION,
    RESULTS,
    ROGUE,
    SCAN,
    VISIT,
    DayOutcome,
    stays_in_stores,
)
from sim.server import Desk
from sim.watch import Heard, Shown

if TYPE_CHECKING:
    from sim.day import Day

_SAMPLE_S = 1.0
_FLUSH_ROWS = 8_192
_REFUSED = REASONS.index("refused")

_DAY_S = 86_400.0


@dataclass
class DayTally:
    """Watches one day; ``close`` once it is over. ``desk`` is asked before and after, so that the day's part is known.

    The rules are the system's own: of when a stay is a visit, and of when a scan is too late.
    """

    desk: Desk
    rules: SceneRules = field(default_factory=SceneRules)
    n_sends: int = 0
    n_repeats: int = 0
    n_changed: int = 0
    _scans: list[NDArray[np.void]] = field(default_factory=list)
    _rows: list[tuple[object, ...]] = field(default_factory=list)
    _cards: list[tuple[object, ...]] = field(default_factory=list)
    _redeemed: dict[int, tuple[Redeeming, str, int]] = field(default_factory=dict)
    _newest_s: dict[str, float] = field(default_factory=dict)
    _withheld: Counter[str] = field(default_factory=Counter)
    _n_events: int = 0

    def __post_init__(self) -> None:
        self._withheld, self._n_events = self.desk.withheld(), len(self.desk.events())

    def answered(self, day: "Day", heard: Heard, answer: Answer) -> None:
        """Write a scan's first answer beside the truth."""
        is_late = self._is_late(day, heard, answer)
        self._rows.append(
            (day.plan.mall, day.plan.day, heard.phone, heard.kind, heard.number, heard.at_s, heard.sent_s, heard.said_s,
             *heard.place, *_said(day, answer, heard), heard.n_readings, is_late)
        )  # fmt: skip
        if len(self._rows) >= _FLUSH_ROWS:
            self._flush()

    def arrived(self, n_scans: int, n_again: int, n_changed: int) -> None:
        """Count what reached the server: how many scans, of which again, and of those answered otherwise."""
        self.n_sends += n_scans
        self.n_repeats += n_again
        self.n_changed += n_changed

    def showed(self, day: "Day", shown: Shown) -> None:
        """Write a card beside where its phone truly was."""
        ids = self.desk.campaign_ids
        if shown.campaign_id not in ids:  # another's, on a server that is not ours alone
            return
        number = list(ids).index(shown.campaign_id)
        spec = day.plan.scenario.campaigns[number]
        target = spec.store if spec.at == "store" else -1
        is_right = shown.kind != ROGUE and (target < 0 or target == shown.store)
        self._cards.append(
            (day.plan.mall, day.plan.day, shown.phone, shown.kind, number, shown.at_s, target, shown.store, is_right,
             shown.goes)
        )  # fmt: skip

    def redeemed(self, redeeming: Redeeming, said: str) -> None:
        """Write what a till was answered; the last attempt's answer stands, with the first one's instant."""
        first, _, attempts = self._redeemed.get(redeeming.act, (redeeming, "", 0))
        self._redeemed[redeeming.act] = first, said, attempts + 1

    def close(self, day: "Day") -> DayOutcome:
        """What the day was."""
        self._flush()
        plan = day.plan
        return DayOutcome(
            mall=plan.mall,
            day=plan.day,
            scans=np.concatenate([np.zeros(0, dtype=SCAN), *self._scans]),
            true_visits=self._true_visits(day),
            said_visits=self._said_visits(day),
            events=self._events(day),
            cards=np.array(self._cards, dtype=CARD),
            redemptions=self._redemptions(day),
            payments=_payments(day),
            keeps_visits=np.array([day.keeps_visits.get(one.device_id, False) for one in day.shoppers]),
            n_visits=len(day.checkout.records.mall_visits),
            n_sends=self.n_sends,
            n_repeats=self.n_repeats,
            n_changed=self.n_changed,
            n_dropped=int(day.was_heard[day.sends.dropped].sum()),
            given=self.desk.given(),
            withheld=dict(self.desk.withheld() - self._withheld),
        )

    def _flush(self) -> None:
        if self._rows:
            self._scans.append(np.array(self._rows, dtype=SCAN))
            self._rows.clear()

    def _is_late(self, day: "Day", heard: Heard, answer: Answer) -> bool:
        """Whether the scan comes too late to move anything; batches are given in the order of their instants."""
        if "error" in answer or not day.keeps_visits[heard.device_id]:
            return False
        newest_s = self._newest_s.get(heard.device_id, -math.inf)
        self._newest_s[heard.device_id] = max(newest_s, heard.said_s)
        return newest_s - heard.said_s > self.rules.lateness.total_seconds()

    def _true_visits(self, day: "Day") -> NDArray[np.void]:
        """Stays in stores of all phones, by the rules' own definition of a visit, to the second."""
        rule, plan = self.rules.fast.store, day.plan
        rows = []
        for phone, shopper in enumerate(day.shoppers):
            at_s = np.arange(shopper.arrives_s, shopper.leaves_s, _SAMPLE_S)
            store = day.world.graph.grid.store_at(*shopper.trajectory.at(at_s)).astype(np.int64)
            for inside, from_s, until_s in stays_in_stores(
                store,
                at_s,
                min_dwell_s=rule.min_dwell.total_seconds(),
                merge_gap_s=rule.merge_gap.total_seconds(),
            ):
                rows.append((plan.mall, plan.day, phone, day.kind[phone], inside, from_s, until_s, True))
        return np.array(rows, dtype=VISIT)

    def _said_visits(self, day: "Day") -> NDArray[np.void]:
        """The day's store visits as the system has them, in true time: less what each phone's clock is ahead."""
        phone_of, plan = day.phones(), day.plan
        lasts_s = 3_600.0 * (plan.scenario.mall.closes_hour - plan.scenario.mall.opens_hour)
        night_s = (_DAY_S - lasts_s) / 2.0  # a night is half this day's, half the next one's
        rows = []
        for visit in self.desk.visits():
            phone = phone_of.get(visit.device_id)
            ahead_s = float(day.skew_s[phone]) if phone is not None and phone < len(day.shoppers) else 0.0
            from_s = (visit.arrived_at - plan.opens_at).total_seconds() - ahead_s
            if phone is None or visit.kind != "store" or not -night_s <= from_s < lasts_s + night_s:
                continue
            until_s = (visit.last_inside_at - plan.opens_at).total_seconds() - ahead_s
            store = day.store_index[visit.place_id]
            rows.append((plan.mall, plan.day, phone, day.kind_of(phone), store, from_s, until_s, visit.is_counted))
        rows.sort(key=lambda row: (row[5], row[2]))
        return np.array(rows, dtype=VISIT)

    def _events(self, day: "Day") -> NDArray[np.void]:
        """What the system told of the day's phones, by its own instants."""
        phone_of, plan = day.phones(), day.plan
        rows = []
        for event in self.desk.events()[self._n_events :]:
            phone = phone_of.get(event.device_id)
            if phone is None:
                continue
            store = -1 if event.place_kind != "store" else day.store_index[event.place_id or ""]
            said_s = (event.at - plan.opens_at) / timedelta(seconds=1)
            place = PLACES.index(event.place_kind or "none")
            rows.append(
                (plan.mall, plan.day, phone, day.kind_of(phone), EVENTS.index(event.type), said_s, place, store)
            )
        rows.sort(key=lambda row: (row[5], row[2]))
        return np.array(rows, dtype=EVENT)

    def _redemptions(self, day: "Day") -> NDArray[np.void]:
        rows = [
            (day.plan.mall, day.plan.day, first.coupon.phone, first.coupon.store, first.at_s, first.sent_s,
             RESULTS.index(said) if said in RESULTS else RESULTS.index("other"), attempts)
            for _, (first, said, attempts) in sorted(self._redeemed.items())
        ]  # fmt: skip
        return np.array(rows, dtype=REDEMPTION)


def _said(day: "Day", answer: Answer, heard: Heard) -> tuple[object, ...]:
    if "error" in answer:
        return (_REFUSED, -1, math.nan, math.nan, -1, -1, math.nan, math.nan, False)
    position: Position | None = answer["position"]
    if position is None:
        reason = REASONS.index(str(answer["reason"]))
        return (reason, -1, math.nan, math.nan, -1, -1, math.nan, math.nan, False)
    venue, where = day.world.mall.venue, position["location"]
    x_m, y_m = venue.frame.to_xy_m((where["lng"], where["lat"]))
    level = next((i for i, one in enumerate(venue.levels) if one.short_name == position["level"]), -1)
    candidates: list[Any] = list(position["candidates"])
    front = day.store_index[candidates[0]["store_id"]] if candidates else -1
    named = -1 if position["store_id"] is None else day.store_index[position["store_id"]]
    store = heard.place[3]
    holds = store >= 0 and venue.stores[store].id in position["store_set"]
    return (0, level, x_m, y_m, front, named, position["confidence"], position["accuracy_m"], holds)


def _payments(day: "Day") -> NDArray[np.void]:
    """Every payment of the day, whose phone is followed or not, and when its till's call reaches the server."""
    done, first = day.checkout.purchases, {one.household: i for i, one in reversed(list(enumerate(day.shoppers)))}
    table = np.zeros(len(done), dtype=PAYMENT)
    table["mall"], table["day"] = day.plan.mall, day.plan.day
    table["phone"] = [first.get(int(household), -1) for household in done["household"]]
    for name in ("store", "at_s", "amount_minor", "is_planned", "coupons"):
        table[name] = done[name]
    table["sent_s"], table["attempts"] = day.checkout.payments_sent()
    found: NDArray[np.void] = table[np.lexsort((table["store"], table["at_s"]))]
    return found
