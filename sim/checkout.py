"""The tills of one mall's day: people pay and give in their coupons, and tills tell the server when they can.

A group pays as the day's records have it, so long before it leaves a store. Where a card has sent the group another
way, it pays when it is truly there; where a coupon brings it to a store in which it had nothing to pay, it buys, since
a coupon is used by paying. Redemption and payment are acts of one till at one instant, the coupon first.

Call ``turned`` and ``hold`` with instants that never go back, each before ``due`` is asked beyond it: what has happened
by then stays as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.chance import I64
from sim.history import History
from sim.records import DayRecords, baskets_minor
from sim.shoppers import Shopper, Stop
from sim.tills import REDEMPTION, TillSends, TillSpec, idempotency_key, till_acts, till_sends

PURCHASE = np.dtype(
    [("household", "i4"), ("store", "i4"), ("at_s", "f8"), ("before_s", "f8"), ("amount_minor", "i8"),
     ("is_planned", "?"), ("coupons", "i2")]
)  # fmt: skip
"""A payment; ``before_s`` is how long before leaving the store, ``is_planned`` false where only a coupon led there."""
_USED = np.dtype([("store", "i4"), ("at_s", "f8")])


@dataclass(frozen=True, slots=True)
class Coupon:
    """A coupon whose holder means to use it; ``purchase`` is the row of the payment it goes with."""

    phone: int
    code: str
    store: int
    purchase: int


@dataclass(frozen=True, slots=True)
class Redeeming:
    """A coupon on its way from a till to the server: one attempt."""

    act: int
    coupon: Coupon
    at_s: float
    sent_s: float
    key: str


@dataclass
class Checkout:
    """All tills of a mall on one day."""

    records: DayRecords
    history: History
    spec: TillSpec
    seed: int
    n_stores: int
    run: str
    purchases: NDArray[np.void]
    coupons: list[Coupon] = field(default_factory=list)
    _rows: dict[int, list[int]] = field(default_factory=dict)
    """Household that is followed -> its purchases."""
    _told: set[int] = field(default_factory=set)
    """Coupons whose till has its answer."""
    _until_s: float = 0.0

    def turned(self, group: Sequence[Shopper], at_s: float) -> None:
        """A group goes another way from ``at_s`` on: what it has not paid yet, it pays when it is there."""
        front = min(group, key=lambda one: one.lag_s)
        for row in self._rows.get(front.household, ()):
            purchase = self.purchases[row]
            if purchase["at_s"] >= at_s:
                stop = _last_stop(front, int(purchase["store"]))
                if stop is not None:
                    purchase["at_s"] = _ms(max(at_s, stop.arrives_s, stop.leaves_s - float(purchase["before_s"])))

    def hold(self, phone: int, group: Sequence[Shopper], code: str, store: int, now_s: float, after_s: float) -> None:
        """A phone has a coupon, and its group is on the way to the store (``turned`` knows).

        Args:
            after_s: how long after coming it pays, where it had nothing to pay there.
        """
        front = min(group, key=lambda one: one.lag_s)
        rows = self._rows.setdefault(front.household, [])
        planned = [r for r in rows if self.purchases[r]["store"] == store and self.purchases[r]["at_s"] >= now_s]
        if not planned:
            stop = _last_stop(front, store)
            if stop is None or stop.leaves_s < now_s:
                return
            at_s = _ms(max(now_s, min(max(stop.arrives_s, now_s) + after_s, stop.leaves_s)))
            rows.append(len(self.purchases))
            amount = self._basket(front.household, store)
            new = np.array([(front.household, store, at_s, stop.leaves_s - at_s, amount, False, 0)], dtype=PURCHASE)
            self.purchases = np.concatenate([self.purchases, new])
            planned = [rows[-1]]
        self.purchases["coupons"][planned[0]] += 1
        self.coupons.append(Coupon(phone, code, store, planned[0]))

    def due(self, end_s: float) -> list[Redeeming]:
        """The redemptions that reach the server before ``end_s`` and were not given before, in order."""
        since_s, self._until_s = self._until_s, end_s
        at_s = self.purchases["at_s"]
        waiting = {
            one.store for i, one in enumerate(self.coupons) if i not in self._told and at_s[one.purchase] < end_s
        }
        if not waiting:
            return []
        acts, sends = self._send(np.isin(self.purchases["store"], list(waiting)), waiting, end_s)
        found = []
        for row in np.flatnonzero((sends.sent_at_s >= since_s) & (sends.sent_at_s < end_s)).tolist():
            act = acts[sends.act[row]]
            if act["kind"] == REDEMPTION:
                number, sent_s = int(act["row"]), float(sends.sent_at_s[row])
                key = idempotency_key(self.run, self.records.day, int(act["store"]), int(act["number"]))
                found.append(Redeeming(number, self.coupons[number], float(act["at_s"]), sent_s, key))
                if not sends.is_answer_lost[row]:
                    self._told.add(number)
        return found

    def payments_sent(self) -> tuple[NDArray[np.float64], I64]:
        """When each purchase's payment first reaches the server, and how often it is sent."""
        acts, sends = self._send(np.ones(len(self.purchases), dtype=np.bool_), set(range(self.n_stores)), np.inf)
        sent_s, attempts = np.full(len(self.purchases), np.nan), np.zeros(len(self.purchases), dtype=np.int64)
        act = acts[sends.act]
        paid = act["kind"] != REDEMPTION
        rows = act["row"][paid]
        np.add.at(attempts, rows, 1)
        first = paid & (sends.attempt == 0)
        sent_s[act["row"][first]] = sends.sent_at_s[first]
        return sent_s, attempts

    def _send(self, chosen: NDArray[np.bool_], stores: set[int], end_s: float) -> tuple[NDArray[np.void], TillSends]:
        """What these stores' tills do with all that has happened by ``end_s``."""
        rows = np.flatnonzero(chosen & (self.purchases["at_s"] < end_s))
        at_s = self.purchases["at_s"]
        mine = [i for i, one in enumerate(self.coupons) if one.store in stores and at_s[one.purchase] < end_s]
        used = np.array([(self.coupons[i].store, at_s[self.coupons[i].purchase]) for i in mine], dtype=_USED)
        acts = till_acts(self.purchases[rows], used)
        is_coupon = acts["kind"] == REDEMPTION
        acts["row"][is_coupon] = np.array(mine, dtype=np.int64)[acts["row"][is_coupon]]
        acts["row"][~is_coupon] = rows[acts["row"][~is_coupon]]
        sends = till_sends(
            acts["store"], acts["at_s"], self.seed, n_stores=self.n_stores, day=self.records.day, spec=self.spec
        )
        return acts, sends

    def _basket(self, household: int, store: int) -> int:
        """What a group pays that came for a coupon: its oldest's basket."""
        people, visits = self.history.people, self.records.mall_visits
        who = visits["person"][visits["household"] == household].astype(np.int64)
        oldest = who[np.argmax(people.age_y[who])]
        found = baskets_minor(
            people,
            self.history.stores,
            self.history.visit_spec,
            np.array([oldest]),
            np.array([len(who)]),
            self.records.day,
            np.array([store]),
        )
        return int(found[0])


def open_checkout(
    history: History,
    records: DayRecords,
    shoppers: Sequence[Shopper],
    spec: TillSpec,
    *,
    seed: int,
    n_stores: int,
    run: str,
) -> Checkout:
    """The day's payments as they are planned; those of the shoppers' groups follow what the groups do."""
    paid = records.payments
    purchases = np.zeros(len(paid), dtype=PURCHASE)
    purchases["household"] = records.mall_visits["household"][paid["visit"]]
    purchases["store"], purchases["amount_minor"], purchases["is_planned"] = paid["store"], paid["amount_minor"], True
    purchases["at_s"] = np.maximum(0.0, np.rint(paid["at_s"] * 1_000.0) / 1_000.0)
    fronts: dict[int, Shopper] = {}
    for one in sorted(shoppers, key=lambda one: one.lag_s, reverse=True):
        fronts[one.household] = one
    rows = _rows_by_household(purchases, fronts)
    for household, mine in rows.items():
        for row in mine:
            stop = _last_stop(fronts[household], int(purchases["store"][row]))
            if stop is not None:
                purchases["before_s"][row] = max(0.0, stop.leaves_s - float(purchases["at_s"][row]))
    return Checkout(records, history, spec, seed, n_stores, run, purchases, _rows=rows)


def _rows_by_household(purchases: NDArray[np.void], known: Mapping[int, object]) -> dict[int, list[int]]:
    rows: dict[int, list[int]] = {}
    for row in np.flatnonzero(np.isin(purchases["household"], list(known))).tolist():
        rows.setdefault(int(purchases["household"][row]), []).append(row)
    return rows


def _last_stop(shopper: Shopper, store: int) -> Stop | None:
    return next((stop for stop in reversed(shopper.stops) if stop.store_index == store), None)


def _ms(seconds: float) -> float:
    return round(seconds, 3)
