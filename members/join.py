"""Which identities are one person's: evidence joins them, and rules keep families and crowds apart.

The people are a function of the whole evidence and nothing else, so any order of the same evidence gives the same
people, and evidence that is taken back leaves what would have been without it. Two passes:

1. *Verified* evidence (somebody signed in, registered, proved a number), the earliest first, joins two groups unless
   the group that comes of it would break a rule (``MOST_OF_KIND``, ``MOST_LINKED``).
2. *Observed* evidence (two ids seen together at a till or a gate, on two days at least) never joins two who have signed
   in. It gives a card or a car to the one such person that it was seen with; seen with two, it is lent, and nobody's.

An id that was seen with more than ``CROWD`` others joins nothing: a cashier's own card, a company's car.

The idea of limits for each pair of kinds is RudderStack's identity stitching; the passes are ours.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from kernel.ids import PersonRef
from members.identity import ISSUED, PERSONAL, Identity, IdentityKind


class Strength(StrEnum):
    """How much two ids that came together say."""

    VERIFIED = "verified"
    OBSERVED = "observed"


MOST_OF_KIND: Final[Mapping[IdentityKind, int]] = {
    IdentityKind.MAKER: 5,
    IdentityKind.APP: 1,
    IdentityKind.PHONE: 3,
    IdentityKind.PAYMENT: 6,
    IdentityKind.LOYALTY: 1,
    IdentityKind.PARTNER: 1,
    IdentityKind.PLATE: 2,
    IdentityKind.BIOMETRIC: 1,
}
"""How many ids of a kind one person may have; of kinds that name their issuer, of each issuer."""
MOST_LINKED: Final[Mapping[tuple[IdentityKind, IdentityKind], int]] = {
    (IdentityKind.MAKER, IdentityKind.PHONE): 2,
    (IdentityKind.PAYMENT, IdentityKind.PHONE): 1,
    (IdentityKind.PAYMENT, IdentityKind.APP): 1,
    (IdentityKind.LOYALTY, IdentityKind.APP): 1,
    (IdentityKind.LOYALTY, IdentityKind.PHONE): 2,
    (IdentityKind.PARTNER, IdentityKind.PHONE): 2,
    (IdentityKind.PLATE, IdentityKind.PHONE): 1,
    (IdentityKind.PLATE, IdentityKind.APP): 1,
    (IdentityKind.BIOMETRIC, IdentityKind.PHONE): 1,
}
"""How many ids of the second kind may be joined directly to one of the first; of kinds with issuers, of each issuer."""
CROWD: Final = 20
"""More different ids than one person's cards, phones and cars come to, with which one id was seen."""
_SEEN_APART: Final = timedelta(hours=12)
"""Two days: a till's evening queue is one occasion."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two ids that came together, between these two instants; ``a.ref < b.ref``."""

    a: Identity
    b: Identity
    strength: Strength
    first_at: datetime
    last_at: datetime

    def __post_init__(self) -> None:
        if not self.a.ref < self.b.ref:
            raise ValueError("evidence is of two ids, the lower ref first")


@dataclass(frozen=True, slots=True)
class Joined:
    """The people, each the refs of its identities, and the evidence that a rule kept from joining two groups."""

    people: tuple[frozenset[PersonRef], ...]
    refused: tuple[tuple[Evidence, str], ...]


def join_people(identities: Collection[Identity], evidence: Iterable[Evidence]) -> Joined:
    """Put identities together that evidence says are one person's.

    Args:
        evidence: each pair at most once for each strength; both ids are among ``identities``.
    """
    given = sorted(evidence, key=lambda one: (one.first_at, one.a.ref, one.b.ref, one.strength))
    crowds = _crowds(given)
    groups = _Groups(identities)
    refused: list[tuple[Evidence, str]] = []
    seen: list[Evidence] = []
    for one in given:
        if one.a.ref in crowds or one.b.ref in crowds:
            refused.append((one, "one of the ids was seen with too many others"))
        elif one.strength is Strength.VERIFIED:
            refused += groups.join(one)
        elif one.last_at - one.first_at >= _SEEN_APART:
            seen.append(one)
    refused += _give_cards(groups, seen)
    return Joined(tuple(sorted(groups.people(), key=min)), tuple(refused))


def _crowds(evidence: Iterable[Evidence]) -> set[PersonRef]:
    partners: dict[PersonRef, set[PersonRef]] = defaultdict(set)
    for one in evidence:
        partners[one.a.ref].add(one.b.ref)
        partners[one.b.ref].add(one.a.ref)
    return {ref for ref, others in partners.items() if len(others) > CROWD}


def _give_cards(groups: "_Groups", seen: list[Evidence]) -> list[tuple[Evidence, str]]:
    """The second pass: groups that nobody signed in to go to the one person that they were seen with."""
    links = [(one, groups.root(one.a.ref), groups.root(one.b.ref)) for one in seen]
    signed_in = {root for _, a, b in links for root in (a, b) if groups.is_signed_in(root)}
    owners: dict[PersonRef, set[PersonRef]] = defaultdict(set)
    among: dict[PersonRef, set[PersonRef]] = defaultdict(set)
    for _, a, b in links:
        for card, other in ((a, b), (b, a)):
            if card not in signed_in:
                (owners if other in signed_in else among)[card].add(other)
    lent = _lent(owners, among)
    refused: list[tuple[Evidence, str]] = []
    for one, a, b in links:
        if a in signed_in and b in signed_in:
            refused.append((one, "two people were seen together"))
        elif {a, b} & lent and not any(owners[card] == {other} for card, other in ((a, b), (b, a)) if card in lent):
            refused.append((one, "one of the ids was seen with several people"))
        else:
            refused += groups.join(one)
    return refused


def _lent(owners: Mapping[PersonRef, set[PersonRef]], among: Mapping[PersonRef, set[PersonRef]]) -> set[PersonRef]:
    """The cards that, through other cards, were seen with several people: only their own owners count."""
    lent: set[PersonRef] = set()
    waiting = {*owners, *among}
    while waiting:
        reached, front = set[PersonRef](), {waiting.pop()}
        while front:
            reached |= front
            front = {other for card in front for other in among.get(card, ())} - reached
        waiting -= reached
        if len({person for card in reached for person in owners.get(card, ())}) > 1:
            lent |= reached
    return lent


class _Groups:
    """Disjoint sets of identities (Tarjan 1975), each with what the rules count."""

    def __init__(self, identities: Collection[Identity]) -> None:
        self._parent = {one.ref: one.ref for one in identities}
        self._members = {one.ref: [one] for one in identities}
        self._linked: dict[tuple[PersonRef, IdentityKind, str], set[PersonRef]] = defaultdict(set)

    def root(self, ref: PersonRef) -> PersonRef:
        while self._parent[ref] != ref:
            self._parent[ref] = self._parent[self._parent[ref]]
            ref = self._parent[ref]
        return ref

    def is_signed_in(self, root: PersonRef) -> bool:
        return any(one.kind in PERSONAL for one in self._members[root])

    def people(self) -> list[frozenset[PersonRef]]:
        return [frozenset(one.ref for one in members) for members in self._members.values()]

    def join(self, one: Evidence) -> list[tuple[Evidence, str]]:
        """Join the groups of both ids; where a rule forbids it, nothing is joined and the rule is told."""
        a, b = self.root(one.a.ref), self.root(one.b.ref)
        if a == b:
            return []
        why = self._rule_against(a, b) or self._link_against(one)
        if why is not None:
            return [(one, why)]
        self._linked[one.a.ref, one.b.kind, one.b.issuer].add(one.b.ref)
        self._linked[one.b.ref, one.a.kind, one.a.issuer].add(one.a.ref)
        low, high = min(a, b), max(a, b)
        self._parent[high] = low
        self._members[low] += self._members.pop(high)
        return []

    def _rule_against(self, a: PersonRef, b: PersonRef) -> str | None:
        count: dict[tuple[IdentityKind, str], int] = defaultdict(int)
        for one in (*self._members[a], *self._members[b]):
            count[one.kind, one.issuer] += 1
        for (kind, issuer), n in count.items():
            if n > MOST_OF_KIND[kind]:
                of_issuer = f" of {issuer}" if kind in ISSUED else ""
                return f"a person has at most {MOST_OF_KIND[kind]} {kind.value} ids{of_issuer}"
        return None

    def _link_against(self, one: Evidence) -> str | None:
        for mine, other in ((one.a, one.b), (one.b, one.a)):
            most = MOST_LINKED.get((mine.kind, other.kind))
            if most is not None and len(self._linked[mine.ref, other.kind, other.issuer] | {other.ref}) > most:
                return f"a {mine.kind.value} id is of at most {most} {other.kind.value} ids"
        return None
