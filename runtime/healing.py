"""``atrium heal``: a venue's live model, healed with confirmed scans and judged by those of other days."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

from fingerprints.scan import LabelledScan, Scan
from kernel.ids import StoreId, VenueId
from positioning.bundle import to_bytes
from positioning.confirmed import ConfirmedScan, confirm_labelled, distinct, split_days
from positioning.healing import Healed, beacons_alone, heal, learned_until
from positioning.model import VenueModel
from positioning.ports import ConfirmedPlaces
from positioning.promotion import Promotion, judge_candidate
from runtime.errors import ModelChangedError
from runtime.home import Home
from runtime.models import load_model
from runtime.rankers import load_ranker, make_locator
from runtime.records.tenants import DEFAULT_TENANT
from runtime.settings import LocatorKind

JUDGED_SHARE = 0.3
"""Of the confirmed scans, the newest whole days that judge instead of healing."""


@dataclass(frozen=True, slots=True)
class HealReport:
    """The candidate and, by locator, the decision. It may be promoted where every locator's says so.

    Args:
        n_of_judging_days: unlabelled scans left out, since those days judge.
        is_beacons_healed: whether the map of beacons alone is the candidate's own; else it is the present one, since
            its own judging did not say that nobody loses.
        made_from: the hash of the model that was healed.
    """

    healed: Healed
    decisions: dict[LocatorKind, Promotion]
    n_judged: int
    n_without_store: int
    n_of_judging_days: int
    is_beacons_healed: bool
    made_from: str | None

    @property
    def is_promotable(self) -> bool:
        return all(decision.is_promoted for decision in self.decisions.values())

    def to_json(self) -> dict[str, Any]:
        """Plain values; transmitters by number alone."""
        healed, labels, changes = self.healed, self.healed.labels, self.healed.changes
        return {
            "may_be_promoted": self.is_promotable,
            "confirmed": healed.n_confirmed,
            "sure": healed.n_sure,
            "sure_in_walkways": healed.n_sure_walkway,
            "judged": self.n_judged,
            "without_store": self.n_without_store,
            "left_out_as_known": healed.n_known,
            "left_out_of_judging_days": self.n_of_judging_days,
            "beacons_alone_healed": self.is_beacons_healed,
            "of_unknown_stores": healed.n_foreign,
            "refreshed_stores": len(healed.refreshed),
            "born": len(changes.born),
            "moved": len(changes.moved),
            "dead": len(changes.dead),
            "labels": {name: getattr(labels, name) for name in type(labels).__slots__},
            "decisions": {name: decision.to_json() for name, decision in self.decisions.items()},
        }


def heal_stored(
    home: Home,
    venue_id: VenueId,
    confirmed: Sequence[LabelledScan],
    unlabelled: Sequence[Scan],
    judged: Sequence[LabelledScan] | None,
    tell: Callable[[str, float], None],
    places: ConfirmedPlaces | None = None,
) -> HealReport:
    """Make and judge a candidate; nothing is stored.

    Args:
        judged: confirmed scans to judge by; None takes the newest days of ``confirmed`` for it.
        places: what tills confirmed, beside ``confirmed``.

    Raises:
        UntrainedVenueError: the venue has no model.
        NothingToHealError: the scans teach nothing.
    """
    tell("reading the model", 0.0)
    made_from = home.venues.versions(DEFAULT_TENANT, venue_id).live_sha256()
    model = load_model(home, venue_id)
    venue = home.venues.load_venue(DEFAULT_TENANT, venue_id)
    zone = ZoneInfo(venue.time_zone) if venue is not None and venue.time_zone else UTC
    given, n_without = confirm_labelled(confirmed)
    if places is not None:
        given += places.confirmed(venue_id)
    if judged is None:
        healing, judging = split_days(given, JUDGED_SHARE, zone)
    else:
        days = {item.scan.at.astimezone(zone).date() for item in given}
        healing, (judging, n_more) = given, confirm_labelled(judged)
        judging = [item for item in judging if item.scan.at.astimezone(zone).date() not in days]
        n_without += n_more
    learned = max(learned_until(model))
    judging = distinct([item for item in judging if item.scan.at > learned], lambda item: item.scan)
    judging_days = {item.scan.at.astimezone(zone).date() for item in judging}
    teaching = [scan for scan in unlabelled if scan.at.astimezone(zone).date() not in judging_days]
    ranker = load_ranker()
    is_ranked = model.calibration.ranker == ranker.sha256
    tell("healing", 0.1)
    healed = heal(model, healing, teaching, ranker=ranker if is_ranked else None)
    tell("judging beacons alone", 0.65)
    healed, is_beacons_healed = _judge_beacons(model, healed, judging)
    decisions: dict[LocatorKind, Promotion] = {}
    kinds: tuple[LocatorKind, ...] = ("light", "full") if is_ranked else ("light",)
    for at, kind in enumerate(kinds):
        tell(f"judging the {kind} locator", 0.7 + 0.15 * at)
        decisions[kind] = _judge(model, healed, judging, kind)
    n_left = len(unlabelled) - len(teaching)
    return HealReport(healed, decisions, len(judging), n_without, n_left, is_beacons_healed, made_from)


def _judge_beacons(model: VenueModel, healed: Healed, judging: Sequence[ConfirmedScan]) -> tuple[Healed, bool]:
    """The candidate with its own map of beacons where nobody loses by it, else with the present one."""
    if model.beacons is None or healed.model.beacons is None or healed.model.beacons is model.beacons:
        return healed, False
    alone = [replace(item, scan=beacons_alone(item.scan)) for item in judging]
    if _judge(model, healed, [item for item in alone if item.scan.readings], "light").is_promoted:
        return healed, True
    return replace(healed, model=replace(healed.model, beacons=model.beacons)), False


def promote_stored(home: Home, venue_id: VenueId, report: HealReport) -> None:
    """Store the candidate as the venue's live model.

    Raises:
        ModelChangedError: another model serves than the one that was healed.
    """
    if home.venues.versions(DEFAULT_TENANT, venue_id).live_sha256() != report.made_from:
        raise ModelChangedError(f"the model of venue {venue_id} has changed since it was read; heal again")
    told = report.healed
    note = f"{told.n_confirmed} confirmed, {told.n_sure} sure scans"
    home.venues.save_model(DEFAULT_TENANT, venue_id, to_bytes(told.model), "healed", note)


def _judge(model: VenueModel, healed: Healed, judging: Sequence[ConfirmedScan], kind: LocatorKind) -> Promotion:
    return judge_candidate(
        make_locator((model,), kind),
        make_locator((healed.model,), kind),
        judging,
        labels=healed.labels,
        refreshed=healed.refreshed,
        level_of=levels_of_stores(model),
    )


def levels_of_stores(model: VenueModel) -> dict[StoreId, str]:
    """Each store of the venue and its level's name, the level's id where the survey did not reach it."""
    fronts = model.fronts
    if fronts is None:
        return {}
    names = {key.level_id: key.short_name for key in model.radio_map.levels}
    return {
        store_id: names.get(fronts.level_ids[level]) or fronts.level_ids[level]
        for store_id, level in zip(fronts.store_ids, fronts.store_level.tolist(), strict=True)
    }
