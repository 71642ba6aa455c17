"""Which identities are one person's: evidence joins them, and rules keep families and crowds apart.

The people are a function of the whole evidence and nothing else, so any order of the same evidence gives the same
people, and evidence that is taken back leaves what would have been without it.

1. *Verified* evidence (somebody signed in, registered, proved a number), the earliest first, joins two groups unless
   the group that comes of it would break a rule (``MOST_OF_KIND``, ``MOST_LINKED``).
2. *Observed* evidence (two ids seen together at a till or a gate) never joins two people who have an account. It gives
   what nobody signed in to, a card, a car, a phone without account, to whom it was seen with by far the most; what is
   lent is nobody's. How often counts in powers of two, so that most events change nobody and need not be looked at.

An id that was seen with more than ``CROWD`` others joins nothing: a cashier's own card, a company's car.

Limits for each pair of kinds are RudderStack's idea (identity stitching); the passes are ours.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
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
BY_FAR: Final = 4
"""So many times as often as with the next: what a couple shares is below, who stands behind in a queue far above."""
_TWICE: Final = 2
"""Once may be a neighbour in the queue."""
_MICROSECOND: Final = timedelta(microseconds=1)
_SEEN_APART: Final = timedelta(hours=12)
"""Two days: a till's evening queue is one occasion."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two ids that came together so many times between these two instants; ``a.ref < b.ref``."""

    a: Identity
    b: Identity
    strength: Strength
    first_at: datetime
    last_at: datetime
    occasions: int = 1

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
            refused += groups.join(one).items()
        elif may_join(one.strength, (one.last_at - one.first_at) // _MICROSECOND):
            seen.append(one)
    passed_on: dict[PersonRef, datetime] = {}
    for one, _ in refused:  # in the order of their first instants
        if one.strength is Strength.VERIFIED and one.last_at - one.first_at >= _SEEN_APART:  # not once, at a friend's
            for side in (one.a, one.b):
                passed_on.setdefault(side.ref, one.first_at)
    owned = _owned(groups, given)
    vouched = [
        one
        for one in seen
        if all(one.last_at < passed_on[side.ref] for side in (one.a, one.b) if side.ref in passed_on)
        and all(one.last_at >= owned[side.ref][0] for side in (one.a, one.b) if side.ref in owned)
        and all(one.first_at <= owned[side.ref][1] for side in (one.a, one.b) if side.ref in owned)
    ]
    refused += _Sightings(groups, vouched, given).join()
    return Joined(tuple(sorted(groups.people(), key=min)), tuple(refused))


def may_join(strength: Strength, span_us: int) -> bool:
    """Whether evidence of this length, in microseconds, joins anybody: what was seen once does not."""
    return strength is Strength.VERIFIED or span_us >= _SEEN_APART // _MICROSECOND


def weight_of(occasions: int) -> int:
    """What so many occasions weigh: the greatest power of two that is not more."""
    return 1 << (max(occasions, 1).bit_length() - 1)


def _crowds(evidence: Iterable[Evidence]) -> set[PersonRef]:
    partners: dict[PersonRef, set[PersonRef]] = defaultdict(set)
    for one in evidence:
        partners[one.a.ref].add(one.b.ref)
        partners[one.b.ref].add(one.a.ref)
    return {ref for ref, others in partners.items() if len(others) > CROWD}


def _owned(groups: "_Groups", evidence: Iterable[Evidence]) -> dict[PersonRef, tuple[datetime, datetime]]:
    """From when to when each phone with an account was surely its owner's: before and after, it may be another's.

    From the first time that somebody signed in; to the last, where they have signed in on another phone since.
    """
    spans: dict[PersonRef, dict[PersonRef, tuple[datetime, datetime]]] = defaultdict(dict)
    for one in evidence:
        for side in (one.a, one.b):
            if one.strength is Strength.VERIFIED and side.kind is IdentityKind.MAKER:
                of_person = spans[groups.root(side.ref)]
                first, last = of_person.get(side.ref, (one.first_at, one.last_at))
                of_person[side.ref] = min(first, one.first_at), max(last, one.last_at)
    owned: dict[PersonRef, tuple[datetime, datetime]] = {}
    for of_person in spans.values():
        newest = max(last for _, last in of_person.values())
        for ref, (first, last) in of_person.items():
            owned[ref] = first, last if last < newest else datetime.max.replace(tzinfo=last.tzinfo)
    return owned


class _Sightings:
    """The second pass, in four steps; each decides for all before it joins any."""

    def __init__(self, groups: "_Groups", seen: list[Evidence], everything: list[Evidence]) -> None:
        """Args:
        seen: what was observed on two days, and of phones while they were their owners'.
        everything: what was observed once as well, and what is verified.
        """
        self._groups, self._seen, self._everything = groups, seen, everything
        self._refused: dict[Evidence, str] = {}

    def join(self) -> list[tuple[Evidence, str]]:
        is_account, is_device = self._groups.has_account, self._groups.has_device
        self._join_successive_phones()
        # a phone without account, to the account without phone that shows its card where the phone is
        self._step(
            lambda root: is_device(root) and not is_account(root),
            lambda root: is_account(root) and not is_device(root),
            lambda _: True,
            is_mutual=True,
        )
        # cards and cars, to whose phone, number or account they were seen with
        self._step(self._is_card, self._is_person, lambda one: one.kind in PERSONAL)
        # then by another card of the same owner, unless that is lent
        lent = self._lent()
        self._step(self._is_card, self._is_person, lambda one: one.ref not in lent)
        # and cards that nobody's phone was ever near, two by two
        self._step(self._is_card, self._is_card, lambda one: one.ref not in lent, is_mutual=True)
        apart = [one for one in self._seen if self._groups.root(one.a.ref) != self._groups.root(one.b.ref)]
        return [(one, self._refused.get(one, "they were seen as often with others")) for one in apart]

    def _is_person(self, root: PersonRef) -> bool:
        return self._groups.has_account(root) or self._groups.has_device(root)

    def _is_card(self, root: PersonRef) -> bool:
        return not self._is_person(root)

    def _step(
        self,
        is_given: Callable[[PersonRef], bool],
        is_taker: Callable[[PersonRef], bool],
        counts: Callable[[Identity], bool],
        *,
        is_mutual: bool = False,
    ) -> None:
        """Give each such group to the taker that it was seen with by far the most, by those of its ids that count."""
        weights: dict[PersonRef, Counter[PersonRef]] = defaultdict(Counter)
        between: dict[tuple[PersonRef, PersonRef], Evidence] = {}
        for one in self._seen:
            for mine, other in ((one.a, one.b), (one.b, one.a)):
                given, taker = self._groups.root(mine.ref), self._groups.root(other.ref)
                if given != taker and is_given(given) and is_taker(taker) and counts(other):
                    weights[given][taker] += weight_of(one.occasions)
                    between.setdefault((given, taker), one)
        owner_of: dict[PersonRef, PersonRef | None] = {given: _by_far(of) for given, of in weights.items()}
        if is_mutual:
            back: dict[PersonRef, Counter[PersonRef]] = defaultdict(Counter)
            for given, of in weights.items():
                for taker, weight in of.items():
                    back[taker][given] += weight
            liked = {taker: _by_far(of) for taker, of in back.items()}
            owner_of = {given: taker for given, taker in owner_of.items() if taker is None or liked[taker] == given}
        for given, chosen in sorted(owner_of.items()):
            if chosen is not None:
                self._refused |= self._groups.join(between[given, chosen])

    def _join_successive_phones(self) -> None:
        """A card with one phone and then with another, when the first was seen no more: somebody has a new phone."""
        spans: dict[PersonRef, tuple[datetime, datetime]] = {}
        for one in self._everything:
            for side in (one.a, one.b):
                if side.kind is IdentityKind.MAKER:
                    root = self._groups.root(side.ref)
                    first, last = spans.get(root, (one.first_at, one.last_at))
                    spans[root] = min(first, one.first_at), max(last, one.last_at)
        phones: dict[PersonRef, dict[PersonRef, Evidence]] = defaultdict(dict)
        for one in self._seen:
            for mine, other in ((one.a, one.b), (one.b, one.a)):
                root = self._groups.root(other.ref)
                if mine.kind not in PERSONAL and root in spans and root != self._groups.root(mine.ref):
                    phones[mine.ref].setdefault(root, one)
        for card in sorted(phones):
            if len(phones[card]) != 2:
                continue
            (old, by_old), (new, by_new) = sorted(phones[card].items(), key=lambda pair: spans[pair[0]])
            if spans[old][1] < spans[new][0]:
                sides = [one.a if one.b.ref == card else one.b for one in (by_old, by_new)]
                a, b = sorted(sides)
                self._groups.join(Evidence(a, b, Strength.OBSERVED, by_old.first_at, by_new.last_at))

    def _lent(self) -> set[PersonRef]:
        """Cards of somebody that were seen with another's: with phones, or with cards that are theirs by now."""
        weights: Counter[tuple[PersonRef, PersonRef]] = Counter()
        for one in self._everything:
            is_apart = self._groups.root(one.a.ref) != self._groups.root(one.b.ref)
            if one.strength is Strength.OBSERVED and is_apart:
                is_lasting = may_join(one.strength, (one.last_at - one.first_at) // _MICROSECOND)
                for mine, other in ((one.a, one.b), (one.b, one.a)):
                    is_owned = is_lasting and self._is_person(self._groups.root(other.ref))
                    if mine.kind not in PERSONAL and (other.kind in PERSONAL or is_owned):
                        weights[mine.ref, other.ref] += weight_of(one.occasions)
        return {ref for (ref, _), weight in weights.items() if weight >= _TWICE}


def _by_far(weights: Counter[PersonRef]) -> PersonRef | None:
    """The one that weighs ``BY_FAR`` times as much as the next; None where there is none."""
    (first, most), *rest = sorted(weights.items(), key=lambda pair: (-pair[1], pair[0]))
    return first if most >= BY_FAR * (rest[0][1] if rest else 0) else None


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

    def has_account(self, root: PersonRef) -> bool:
        return any(one.kind in {IdentityKind.APP, IdentityKind.PHONE} for one in self._members[root])

    def has_device(self, root: PersonRef) -> bool:
        return any(one.kind is IdentityKind.MAKER for one in self._members[root])

    def people(self) -> list[frozenset[PersonRef]]:
        return [frozenset(one.ref for one in members) for members in self._members.values()]

    def join(self, one: Evidence) -> dict[Evidence, str]:
        """Join the groups of both ids; where a rule forbids it, nothing is joined and the rule is told."""
        a, b = self.root(one.a.ref), self.root(one.b.ref)
        if a == b:
            return {}
        why = self._rule_against(a, b) or self._link_against(one)
        if why is not None:
            return {one: why}
        self._linked[one.a.ref, one.b.kind, one.b.issuer].add(one.b.ref)
        self._linked[one.b.ref, one.a.kind, one.a.issuer].add(one.a.ref)
        low, high = min(a, b), max(a, b)
        self._parent[high] = low
        self._members[low] += self._members.pop(high)
        return {}

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
