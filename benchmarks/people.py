"""A year of households: are the ids of one person joined, and of nobody else's?

Households of one to five are drawn, with what makes joining hard: children who share a tablet on which both parents
have an account, a couple's one loyalty card and one payment account, cars that both drive, phones that are handed on in
the family or sold to strangers, new phones and new numbers, numbers given to somebody else after a year, a friend who
signs in once on another's phone, a cashier's own card shown for whoever has none, and tills that take the phone of the
next in the queue for that of who pays. Evidence is what real sources would tell: sign-ins, registrations, purchases,
parking, a partner's list.

An id may have had several users; a joined pair of ids is *right* if one person used both. Recall counts the pairs of
that one and the same person alone used and that this person's own evidence ties together, were all other evidence
unknown: by sign-ins, or by having been seen together on two days. ``recall_of_all`` counts also pairs that nothing ties
together, as a card that was used once. Beside the rules: plain connected components of all evidence, and of what is
verified alone. Intervals: 2.5 and 97.5 % of 200 resamples of households.

Run it with ``atrium bench people`` or ``python -m benchmarks.people``; a minute. Seeds 0 to 5, 100
and 101 were looked at while the rules were made; 11 to 15 are told.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import combinations
from random import Random
from typing import Any

import numpy as np

from kernel.ids import PersonRef
from members.identity import Identity, IdentityKind
from members.join import Evidence, Joined, Strength, join_people

N_HOUSEHOLDS = 2_000
SEEDS = (11, 12, 13, 14, 15)
YEAR_DAYS = 365
START = datetime(2026, 1, 1, tzinfo=UTC)
VERIFIED, OBSERVED = Strength.VERIFIED, Strength.OBSERVED
K = IdentityKind
_RESAMPLES = 200


@dataclass
class Adult:
    """Somebody with a phone, and what they pay and sign in with; ``phones`` and ``numbers`` by the day they begin."""

    household: int
    phones: list[tuple[float, Identity]]
    numbers: list[tuple[float, Identity]]
    app: Identity | None = None
    cards: list[Identity] = field(default_factory=list)
    loyalty: Identity | None = None

    def phone(self, day: float) -> Identity:
        return [one for since, one in self.phones if since <= day][-1]


class Year:
    """A year's evidence and who used what."""

    def __init__(self, seed: int, n_households: int = N_HOUSEHOLDS) -> None:
        self.random = Random(seed)
        self.users: dict[PersonRef, set[int]] = defaultdict(set)
        self.household_of: dict[int, int] = {}
        self.identities: dict[PersonRef, Identity] = {}
        self._spans: dict[tuple[PersonRef, PersonRef, Strength], tuple[float, float, int]] = {}
        self._adults: list[Adult] = []
        for household in range(n_households):
            self._move_in(household)
        self._hand_on()
        cashiers = [self._new(K.LOYALTY, "mall") for _ in range(max(1, n_households // 200))]
        for person in range(len(self._adults)):
            self._live(person, cashiers)

    @property
    def evidence(self) -> list[Evidence]:
        return [
            Evidence(self.identities[a], self.identities[b], strength, _at(first), _at(last), n)
            for (a, b, strength), (first, last, n) in self._spans.items()
        ]

    def _new(self, kind: IdentityKind, issuer: str = "") -> Identity:
        made = Identity(PersonRef(f"{kind.value}{len(self.identities)}"), kind, issuer)
        self.identities[made.ref] = made
        return made

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _move_in(self, household: int) -> None:
        random = self.random
        n_adults = random.choices([1, 2, 3], [0.4, 0.5, 0.1])[0]
        first = len(self._adults)
        for person in range(first, first + n_adults):
            self.household_of[person] = household
            one = Adult(household, [(0.0, self._used(self._new(K.MAKER), person))], [])
            one.numbers = [(0.0, self._used(self._new(K.PHONE), person))]
            one.app = self._used(self._new(K.APP, "mall"), person) if self._chance(0.7) else None
            one.cards = [
                self._used(self._new(K.PAYMENT), person) for _ in range(random.choices([1, 2, 3], [0.5, 0.35, 0.15])[0])
            ]
            one.loyalty = self._used(self._new(K.LOYALTY, "mall"), person) if self._chance(0.5) else None
            if self._chance(0.4):
                one.phones.append((random.uniform(0, YEAR_DAYS), self._used(self._new(K.MAKER), person)))
            if self._chance(0.12):
                one.numbers.append((random.uniform(0, YEAR_DAYS), self._used(self._new(K.PHONE), person)))
            self._adults.append(one)
        adults = self._adults[first:]
        if n_adults > 1 and self._chance(0.3):  # one loyalty card for all, registered by one of them
            card = self._new(K.LOYALTY, "mall")
            for person, one in enumerate(adults, first):
                one.loyalty = self._used(card, person)
        if n_adults > 1 and self._chance(0.2):  # one payment account for two
            card = self._new(K.PAYMENT)
            for person in (first, first + 1):
                self._adults[person].cards.append(self._used(card, person))
        if n_adults > 1 and self._chance(0.15):  # a tablet on which two have an account
            tablet = self._new(K.MAKER)
            for person in (first, first + 1):
                app = self._adults[person].app
                if app is not None:
                    self._used(tablet, person)
                    self._tell(random.uniform(0, YEAR_DAYS), VERIFIED, app, tablet)
        for _ in range(random.choices([0, 1, 2], [0.4, 0.5, 0.1])[0]):
            self._drive(self._new(K.PLATE), first, n_adults)

    def _drive(self, car: Identity, first: int, n_adults: int) -> None:
        drivers = [person for person in range(first, first + n_adults) if person == first or self._chance(0.4)]
        for person in drivers:
            self._used(car, person)
        owner = self._adults[first]
        if owner.app is not None and self._chance(0.3):
            self._tell(self.random.uniform(0, YEAR_DAYS), VERIFIED, owner.app, car)
        for person in drivers:
            for _ in range(self.random.randrange(2, 15)):
                day = self.random.uniform(0, YEAR_DAYS)
                self._tell(day, OBSERVED, self._adults[person].phone(day), car)

    def _used(self, identity: Identity, person: int) -> Identity:
        self.users[identity.ref].add(person)
        return identity

    def _hand_on(self) -> None:
        """Old phones go to the family or to strangers, given-up numbers to strangers."""
        for person, one in enumerate(self._adults):
            if len(one.phones) > 1 and self._chance(0.5):
                of_family = [
                    p
                    for p, a in enumerate(self._adults[person - 3 : person + 4], max(0, person - 3))
                    if p != person and a.household == one.household
                ]
                heir = of_family[0] if of_family and self._chance(0.5) else self.random.randrange(len(self._adults))
                if heir != person:
                    day = min(one.phones[1][0] + 5.0, YEAR_DAYS)
                    mine = self._adults[heir].phones
                    mine.append((day, self._used(one.phones[0][1], heir)))
                    mine.sort(key=lambda pair: pair[0])
            if len(one.numbers) > 1 and self._chance(0.1):
                stranger = self.random.randrange(len(self._adults))
                if stranger != person:
                    number = self._used(one.numbers[0][1], stranger)
                    self._adults[stranger].numbers.append((YEAR_DAYS - 20.0, number))

    def _live(self, person: int, cashiers: Sequence[Identity]) -> None:
        random, one = self.random, self._adults[person]
        if one.app is not None:
            for since, number in one.numbers:
                self._tell(min(since + random.uniform(0, 20), YEAR_DAYS), VERIFIED, one.app, number)
            for (since, phone), (until, _) in zip(one.phones, [*one.phones[1:], (float(YEAR_DAYS), None)], strict=True):
                day = since + random.uniform(0, 10)
                while day < until:
                    self._tell(day, VERIFIED, one.app, phone)
                    day += random.uniform(5, 60)
            if self._chance(0.3):
                self._tell(random.uniform(0, YEAR_DAYS), VERIFIED, one.app, one.cards[0])
            if self._chance(0.03):  # once, on a friend's phone
                friend = self._adults[random.randrange(len(self._adults))]
                self._tell(random.uniform(0, YEAR_DAYS), VERIFIED, one.app, friend.phones[0][1])
        if one.loyalty is not None and min(self.users[one.loyalty.ref]) == person:
            proof = one.app if one.app is not None and self._chance(0.6) else one.numbers[0][1]
            self._tell(random.uniform(0, 60), VERIFIED, one.loyalty, proof)
        if self._chance(0.2):
            self._tell(
                random.uniform(0, 60), VERIFIED, self._used(self._new(K.PARTNER, "crm"), person), one.numbers[0][1]
            )
        for _ in range(random.randrange(4, 40)):
            self._buy(one, random.uniform(0, YEAR_DAYS), cashiers)

    def _buy(self, one: Adult, day: float, cashiers: Sequence[Identity]) -> None:
        card = self.random.choice(one.cards)
        together = [card]
        if one.loyalty is not None and self._chance(0.6):
            together.append(one.loyalty)
        elif self._chance(0.05):
            together.append(self.random.choice(cashiers))
        if self._chance(0.5):  # the position says whose phone is at the till; now and then it is the next one's
            payer = one if self._chance(0.97) else self._adults[self.random.randrange(len(self._adults))]
            together.append(payer.phone(day))
        for a, b in combinations(together, 2):
            self._tell(day, OBSERVED, a, b)

    def _tell(self, day: float, strength: Strength, a: Identity, b: Identity) -> None:
        low, high = sorted((a.ref, b.ref))
        first, last, n = self._spans.get((low, high, strength), (day, day, 0))
        self._spans[low, high, strength] = min(first, day), max(last, day), n + 1


def _at(day: float) -> datetime:
    return START + timedelta(days=day)


def score(
    year: Year, people: Iterable[frozenset[PersonRef]], tied: Mapping[int, list[list[PersonRef]]]
) -> dict[str, Any]:
    """Pairwise precision and recall with their intervals, in percent."""
    n = 1 + max(year.household_of.values())
    table = np.zeros((n, 6))  # right, wrong, found, missed, found of all, missed of all
    group_of: dict[PersonRef, int] = {}
    for number, person in enumerate(people):
        known = [ref for ref in person if year.users[ref]]  # a cashier's own card is nobody's
        by_user: dict[int, set[PersonRef]] = defaultdict(set)
        for ref in known:
            group_of[ref] = number
            for user in year.users[ref]:
                by_user[user].add(ref)
        for ref in known:
            n_right = len(set[PersonRef]().union(*(by_user[user] for user in year.users[ref]))) - 1
            row = table[year.household_of[min(year.users[ref])]]
            row[0] += n_right / 2
            row[1] += (len(known) - 1 - n_right) / 2
    own: dict[int, list[PersonRef]] = defaultdict(list)
    for ref, users in year.users.items():
        if len(users) == 1:
            own[min(users)].append(ref)
    for person_number, refs in own.items():
        row = table[year.household_of[person_number]]
        for column, parts in ((2, tied[person_number]), (4, [refs])):
            for part in parts:
                for a, b in combinations(part, 2):
                    row[column + (group_of[a] != group_of[b])] += 1
    rng = np.random.default_rng(0)
    drawn = np.array([table[rng.integers(0, n, n)].sum(axis=0) for _ in range(_RESAMPLES)])

    def share(sums: Any, good: int) -> Any:
        return 100.0 * sums[..., good] / np.maximum(sums[..., good] + sums[..., good + 1], 1)

    told: dict[str, Any] = {"pairs_joined": int(table[:, :2].sum()), "pairs_tied": int(table[:, 2:4].sum())}
    for name, good in (("precision", 0), ("recall", 2), ("recall_of_all", 4)):
        told[name] = round(float(share(table.sum(axis=0), good)), 2)
        told[f"{name}_interval"] = [round(float(q), 2) for q in np.percentile(share(drawn, good), [2.5, 97.5])]
    return told


def tied_by_own(year: Year, evidence: Sequence[Evidence]) -> dict[int, list[list[PersonRef]]]:
    """For each person the ids that they alone used, in parts that their own evidence ties together."""
    of_person: dict[int, list[Evidence]] = defaultdict(list)
    for one in evidence:
        if one.strength is VERIFIED or one.last_at - one.first_at >= timedelta(hours=12):
            for person in year.users[one.a.ref] & year.users[one.b.ref]:
                of_person[person].append(one)
    tied: dict[int, list[list[PersonRef]]] = {}
    for person in year.household_of:
        mine = {ref for one in of_person[person] for ref in (one.a.ref, one.b.ref)}
        parts = _components(mine, of_person[person])
        tied[person] = [[ref for ref in part if len(year.users[ref]) == 1] for part in parts]
    return tied


def _components(refs: Iterable[PersonRef], evidence: Iterable[Evidence]) -> list[frozenset[PersonRef]]:
    """Whoever any evidence reaches, as one: what joining is without rules."""
    parent = {ref: ref for ref in refs}

    def root(ref: PersonRef) -> PersonRef:
        while parent[ref] != ref:
            parent[ref] = parent[parent[ref]]
            ref = parent[ref]
        return ref

    for one in evidence:
        parent[root(one.a.ref)] = root(one.b.ref)
    groups: dict[PersonRef, set[PersonRef]] = defaultdict(set)
    for ref in parent:
        groups[root(ref)].add(ref)
    return [frozenset(group) for group in groups.values()]


def play(seed: int, n_households: int = N_HOUSEHOLDS) -> dict[str, Any]:
    """A year: the rules beside joining without them."""
    year = Year(seed, n_households)
    evidence = year.evidence
    joined: Joined = join_people(list(year.identities.values()), evidence)
    verified = [one for one in evidence if one.strength is VERIFIED]
    tied = tied_by_own(year, evidence)
    return {
        "seed": seed,
        "people": len(year.household_of),
        "ids": len(year.identities),
        "evidence": len(evidence),
        "rules": score(year, joined.people, tied),
        "all_evidence": score(year, _components(year.identities, evidence), tied),
        "verified_alone": score(year, _components(year.identities, verified), tied),
    }


def run(seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """All years."""
    return {"years": [play(seed) for seed in seeds]}


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
