"""A quarter of the survey: Xixi Intime with every fourth scan of each survey walk kept, beside the whole survey.

The fixed test walks, both locators, the plain reference's loss from the same run; and what confidence is worth there:
risk-coverage, sets, ``accuracy_m``. The public data set is needed (``benchmarks/malls.py``).

Run it with ``atrium bench sparse`` or ``python -m benchmarks.sparse``; about three minutes.
"""

import json
from collections.abc import Sequence
from typing import Any

from benchmarks.malls import xixi_mall
from fingerprints.scan import LabelledScan
from kernel.ids import VenueId
from positioning.evaluate import evaluate
from positioning.full import FullLocator
from positioning.light import LightLocator
from positioning.train import train_venue
from runtime.errors import SettingsError
from runtime.rankers import load_ranker, name_ranker

KEPT_EVERY = 4
TARGET_LOSS_POINTS = 4.0


def run() -> dict[str, Any]:
    """Figures of the whole survey and of its quarter, and the points of top-1 lost between them.

    Raises:
        SettingsError: the data set is not on this machine.
    """
    mall = xixi_mall()
    if mall is None:
        raise SettingsError("bench sparse needs the Xixi Intime set under $ATRIUM_SHARED (default ../shared)")
    ranker = load_ranker()
    figures: dict[str, Any] = {}
    for what, survey in (("whole", mall.survey), ("quarter", thin_out(mall.survey, KEPT_EVERY))):
        model = train_venue(survey, mall.venue, venue_id=VenueId(mall.venue.id), ranker=ranker).model
        for name, locator in (("light", LightLocator((model,))), ("full", FullLocator((model,), ranker))):
            figures[f"{what}, {name}"] = evaluate(locator, model, mall.test).to_json() | {"survey_scans": len(survey)}

    def top1(case: str, of: str | None = None) -> float:
        told = figures[case] if of is None else figures[case][of]
        return float(told["front"]["top1"])

    lost = {name: top1(f"whole, {name}") - top1(f"quarter, {name}") for name in ("light", "full")}
    lost["plain"] = top1("whole, light", "baseline") - top1("quarter, light", "baseline")
    return {
        "mall": mall.what,
        "ranker": name_ranker(ranker),
        "target_loss_points": TARGET_LOSS_POINTS,
        "top1_lost_points": lost,
        **figures,
    }


def thin_out(survey: Sequence[LabelledScan], every: int) -> list[LabelledScan]:
    """Each walk's first scan and every so-many-th after it, in the order of the survey."""
    seen: dict[str | None, int] = {}
    kept = []
    for item in survey:
        at = seen.get(item.walk, 0)
        seen[item.walk] = at + 1
        if at % every == 0:
            kept.append(item)
    return kept


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
