"""A run in figures: how right positions, visits and cards were, by kind of phone, by day and by hour.

Definitions stand in ``DEFINITIONS`` and are printed in every report beside the figures.
"""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.chance import F64
from sim.outcome import REASONS, RESULTS, ROGUE, Matched, join, match_visits
from sim.run import Run
from sim.schedules import SCHEDULES

KINDS = (*(schedule.value for schedule in SCHEDULES), "rogue")
DEFINITIONS: dict[str, str] = {
    "answered": "share of scans with a position; the rest are told why there is none",
    "level": "share of answered scans on the right level",
    "error_m": "metres from the true place to the answer, whatever the level: mean, median, 95 %",
    "front": "of answered scans truly in a store, the share whose first candidate is that store",
    "named": "of answered scans truly in a store, the share whose store_id is that store",
    "false_store": "of answered scans truly in no store, the share that were given one",
    "set_holds": "of answered scans truly in a store, the share whose store_set holds it (made to be 95 %)",
    "accuracy_holds": "share of answered scans whose true place lies within accuracy_m (made to be 68 %)",
    "visit precision": "of the store visits counted, the share that truly were: same phone and store, each stay once",
    "visit again": "of the store visits counted, the share that is the same stay counted once more",
    "visit recall": "of the true stays of phones that allow visits, by the rules' own least dwell, the share counted",
    "wrong card": "cards shown to a phone that was truly not in the store aimed at",
}


def figures(run: Run) -> dict[str, Any]:
    """All figures of a run, as JSON values."""
    scans = join(run.days, "scans")
    true, said = join(run.days, "true_visits"), join(run.days, "said_visits")
    phones = scans[scans["kind"] != ROGUE]
    return {
        "scenario": run.scenario.name,
        "seed": run.scenario.seed,
        "malls": run.scenario.malls,
        "days": run.scenario.days,
        "visits_to_malls": sum(day.n_visits for day in run.days),
        "payments": sum(len(day.payments) for day in run.days),
        "paid_minor": sum(int(day.payments["amount_minor"].sum()) for day in run.days),
        "phones": sum(day.n_people for day in run.days),
        "scans": len(phones),
        "positions": {
            "all": positions(phones),
            **{name: positions(phones[phones["kind"] == kind]) for kind, name in enumerate(KINDS[:ROGUE])},
        },
        "by_day": [positions(phones[phones["day"] == day]) for day in range(run.scenario.days)],
        "visits": visits(run, true, said),
        "cards": cards(run),
        "tills": tills(run),
        "on_the_way": {
            "calls_hold": sum(day.n_sends for day in run.days),
            "came_again": sum(day.n_repeats for day in run.days),
            "answered_otherwise": sum(day.n_changed for day in run.days),
            "lost_in_the_queue": sum(day.n_dropped for day in run.days),
            "late": int(phones["is_late"].sum()),
            "refused": int((phones["reason"] == REASONS.index("refused")).sum()),
        },
        "rogues": rogues(run, scans[scans["kind"] == ROGUE], said),
    }


def positions(scans: NDArray[np.void]) -> dict[str, Any]:
    """How right the answers to some scans are; a share of nothing is None."""
    answered = scans[scans["reason"] == 0]
    inside, outside = answered[answered["store"] >= 0], answered[answered["store"] < 0]
    error_m = errors_m(answered)
    return {
        "n": len(scans),
        "answered": _share(scans["reason"] == 0),
        "level": _share(answered["level"] == answered["said_level"]),
        "error_m": [float(x) for x in (error_m.mean(), *np.percentile(error_m, (50, 95)))] if len(error_m) else None,
        "in_stores": len(inside),
        "front": _share(inside["front"] == inside["store"]),
        "named": _share(inside["said_store"] == inside["store"]),
        "false_store": _share(outside["said_store"] >= 0),
        "set_holds": _share(inside["set_holds"]),
        "accuracy_holds": _share(error_m <= answered["accuracy_m"]),
    }


def errors_m(answered: NDArray[np.void]) -> F64:
    """Metres between the true places and the answers."""
    found: F64 = np.hypot(
        answered["said_x_m"].astype(np.float64) - answered["x_m"],
        answered["said_y_m"].astype(np.float64) - answered["y_m"],
    )
    return found


def visits(run: Run, true: NDArray[np.void], said: NDArray[np.void]) -> dict[str, Any]:
    """Precision and recall of store visits, by kind of phone."""
    kept, is_counted, matched = pair_visits(run, true, said)
    allowed, counted = true[kept], said[is_counted]
    return {
        name: {
            "true": int((allowed["kind"] == kind).sum()) if kind is not None else len(allowed),
            "counted": int((counted["kind"] == kind).sum()) if kind is not None else len(counted),
            "precision": _share(matched.right if kind is None else matched.right[counted["kind"] == kind]),
            "again": _share(matched.again if kind is None else matched.again[counted["kind"] == kind]),
            "recall": _share(matched.found if kind is None else matched.found[allowed["kind"] == kind]),
        }
        for name, kind in (("all", None), *((name, kind) for kind, name in enumerate(KINDS[:ROGUE])))
    }


def pair_visits(
    run: Run, true: NDArray[np.void], said: NDArray[np.void]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Matched]:
    """Which true visits may be kept, which said ones are counted (rogues' apart), and those two paired."""
    kept = may_be_kept(run, true)
    is_counted: NDArray[np.bool_] = said["is_counted"] & (said["kind"] != ROGUE)
    return kept, is_counted, match_visits(true[kept], said[is_counted])


def may_be_kept(run: Run, visits_: NDArray[np.void]) -> NDArray[np.bool_]:
    """Which true visits are of phones that allow them to be kept."""
    allowed = {(day.mall, day.day): day.keeps_visits for day in run.days}
    kept: NDArray[np.bool_] = np.array(
        [bool(allowed[int(row["mall"]), int(row["day"])][int(row["phone"])]) for row in visits_], dtype=np.bool_
    )
    return kept


def cards(run: Run) -> dict[str, Any]:
    """Cards shown, to whom wrongly, what was withheld and why; and each campaign against its budget."""
    shown = join(run.days, "cards")
    shown = shown[shown["kind"] != ROGUE]
    at_store = shown[shown["target"] >= 0]
    withheld: Counter[str] = Counter()
    for day in run.days:
        withheld.update(day.withheld)
    return {
        "shown": len(shown),
        "shown_at_stores": len(at_store),
        "wrong_store": int((~at_store["is_right"]).sum()),
        "wrong_share": _share(~at_store["is_right"]),
        "followed": int(shown["goes"].sum()),
        "withheld": dict(withheld.most_common()),
        "campaigns": [
            {
                "name": spec.name,
                "budget": spec.budget,
                "given_by_mall": [_last_given(run, mall, number) for mall in range(run.scenario.malls)],
            }
            for number, spec in enumerate(run.scenario.campaigns)
        ],
    }


def _last_given(run: Run, mall: int, campaign: int) -> int:
    days = [day for day in run.days if day.mall == mall]
    return days[-1].given[campaign] if days else 0


def tills(run: Run) -> dict[str, Any]:
    """What became of coupons at tills, and how late the tills told of them and of payments."""
    acts, paid = join(run.days, "redemptions"), join(run.days, "payments")
    late_s, paid_late_s = acts["sent_s"] - acts["at_s"], paid["sent_s"] - paid["at_s"]
    return {
        "redemptions": len(acts),
        **{name: int((acts["result"] == i).sum()) for i, name in enumerate(RESULTS) if (acts["result"] == i).any()},
        "asked_again": int((acts["attempts"] > 1).sum()),
        "told_late_s": [float(x) for x in np.percentile(late_s, (50, 95, 100))] if len(acts) else None,
        "payments_told_late_s": [float(x) for x in np.percentile(paid_late_s, (50, 95, 100))] if len(paid) else None,
        "payments_only_for_a_coupon": int((~paid["is_planned"]).sum()),
    }


def rogues(run: Run, scans: NDArray[np.void], said: NDArray[np.void]) -> dict[str, Any] | None:
    """What phones that lie got: none of it is true."""
    if run.scenario.rogues.n == 0:
        return None
    shown = join(run.days, "cards")
    return {
        "phones": run.scenario.rogues.n * run.scenario.malls * run.scenario.days,
        "scans": len(scans),
        "answered": _share(scans["reason"] == 0),
        "visits_counted": int((said["is_counted"] & (said["kind"] == ROGUE)).sum()),
        "cards": int((shown["kind"] == ROGUE).sum()),
    }


def _share(flags: NDArray[np.bool_]) -> float | None:
    return float(np.mean(flags)) if len(flags) else None
