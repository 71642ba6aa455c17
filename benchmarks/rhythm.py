"""Who comes back within 28 days? Recency, elapsed over expected gap, and BG/NBD, by AUC; and what they cost.

Origins roll: every 28 days of a log's second half the models are fitted on what came before alone, and people with
three repeats or more are scored; those who then come within 28 days should have the greater scores. AUCs are over all
people at all origins; 95 % intervals from 200 draws of people (not of rows: one person stands at many origins).

Logs: ``regular``, gamma gaps of shape 3 with dropout; ``memoryless``, the same with shape 1; ``mall``, the simulator's
people by their own rhythm (``sim/rhythm.py``), who pause and come back. Or a file of your own: a line a visit, the
person first and a date (``2006-01-31`` or ``20060131``) after it, commas or spaces between; other lines are skipped.

Run it with ``atrium bench rhythm [--log FILE]`` or ``python -m benchmarks.rhythm [FILE]``; about a minute.
"""

import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from kernel.ids import VenueId
from scenes.rhythm.bands import BANDS, bands_of, gap_ratios
from scenes.rhythm.bgnbd import BgNbd
from scenes.rhythm.cadence import F64, I64, States, VisitDays, empty_states, gap_counts, learn, summarise
from scenes.rhythm.errors import TooFewVisitsError
from scenes.rhythm.nightly import RETURN_DAYS, KeyedStates, RhythmKey, RhythmModel, fit_rhythms
from scenes.rhythm.regularity import Regularity
from sim.dates import EARLIEST_DAY, Calendar, block_of
from sim.people import PeopleSpec, draw_people
from sim.rhythm import OwnVisits, draw_own_visits

METHODS = ("recency", "elapsed_by_gap", "bgnbd")
_STEP_DAYS = 28
_MIN_REPEATS = 3
_DRAWS = 200
_KEY = RhythmKey(VenueId("bench"), "all")
_AT = datetime(2026, 1, 1, tzinfo=UTC)
_EPOCH = date(1970, 1, 1)
_LINE = re.compile(r"^\s*\"?([^\s,\"]+)\"?[\s,].*?\b(\d{4})-?(0[1-9]|1[0-2])-?([0-2]\d|3[01])\b")


@dataclass(frozen=True)
class Log:
    """Visits of ``n_people`` people, by row and local day, in order of days."""

    n_people: int
    visits: VisitDays

    def of_days(self, first: int, last: int) -> VisitDays:
        """The visits of days ``first`` up to and without ``last``."""
        low, high = np.searchsorted(self.visits.day, [first, last])
        return VisitDays(self.visits.row[low:high], self.visits.day[low:high])


@dataclass(frozen=True)
class Scored:
    """People at origins: who, whether each came within 28 days, (n_methods, n_rows) scores, and the band."""

    who: I64
    came: I64
    scores: F64
    band: I64


def run(log: Path | None = None, *, n_people: int = 3_000, seeds: Sequence[int] = (1, 2, 3)) -> dict[str, Any]:
    """AUCs on the file, or on simulated logs one a seed, and the costs of fitting and learning."""
    if log is not None:
        return {"log": log.name, **measure(read_log(log)), "cost": costs()}
    logs: list[dict[str, Any]] = []
    for seed in seeds:
        logs += [
            {"log": "regular", "seed": seed, **measure(draw_log(n_people, 3.0, seed))},
            {"log": "memoryless", "seed": seed, **measure(draw_log(n_people, 1.0, seed))},
            {"log": "mall", "seed": seed, **measure(draw_mall_log(n_people, seed))},
        ]
    return {"logs": logs, "cost": costs()}


def read_log(path: Path) -> Log:
    """A log from a file of lines, each a person and a date; CDNOW's and groceryElog's are such.

    Raises:
        TooFewVisitsError: no such line.
    """
    found = [match for line in path.read_text().splitlines() if (match := _LINE.match(line))]
    if not found:
        raise TooFewVisitsError("lines with a person and a date", 1, 0)
    names: dict[str, int] = {}
    row = [names.setdefault(match[1], len(names)) for match in found]
    day = [(date(int(match[2]), int(match[3]), int(match[4])) - _EPOCH).days for match in found]
    return _in_order(len(names), np.array(row, dtype=np.int64), np.array(day, dtype=np.int64))


def draw_log(n_people: int, shape: float, seed: int, *, n_days: int = 728) -> Log:
    """Gamma renewal with dropout: mean gaps gamma over people about 25 days, dropout beta(1, 12) after each visit."""
    rng = np.random.default_rng([seed, 50])
    rate = rng.gamma(1.5, 1.0 / 1.5, n_people) / 25.0
    drop = rng.beta(1.0, 12.0, n_people)
    at = rng.uniform(0.0, n_days / 2, n_people)
    rows, days, who = [], [], np.arange(n_people)
    while len(who):
        rows.append(who)
        days.append(at[who].astype(np.int64))
        at[who] += rng.gamma(shape, 1.0 / (shape * rate[who]))
        who = who[(rng.random(len(who)) >= drop[who]) & (at[who] < n_days)]
    return _in_order(n_people, np.concatenate(rows), np.concatenate(days))


def draw_mall_log(n_people: int, seed: int, *, n_blocks: int = 26) -> Log:
    """Two years of the simulator's people, a third of ``n_people`` households, by their own rhythm."""
    people, calendar = draw_people(n_people // 3, PeopleSpec(), seed, 0), Calendar()
    blocks: list[OwnVisits] = []
    for block in range(block_of(EARLIEST_DAY), block_of(EARLIEST_DAY) + n_blocks):
        blocks.append(draw_own_visits(people, calendar, block, known=blocks[-1] if blocks else None))
    row, day = (np.concatenate([getattr(block, name) for block in blocks]) for name in ("person", "day"))
    return _in_order(len(people), row, day)


def _in_order(n_people: int, row: I64, day: I64) -> Log:
    order = np.argsort(day, kind="stable")
    return Log(n_people, VisitDays(row[order], day[order]))


def measure(log: Log) -> dict[str, Any]:
    """AUC of each method with its interval, and each one's lead over recency."""
    scored = score(log)
    counts = [np.ones(log.n_people), *_drawn_people(log.n_people, np.unique(scored.who))]
    drawn = np.array([[auc(s, scored.came, n[scored.who]) for s in scored.scores] for n in counts])
    states = learn(empty_states(log.n_people), log.visits).states
    figures: dict[str, Any] = {"people": len(np.unique(scored.who)), "rows": len(scored.who)}
    figures["base"] = float(scored.came.mean())
    for i, name in enumerate(METHODS):
        figures[f"auc {name}"] = _with_interval(drawn[:, i])
    figures["bgnbd leads recency by"] = _with_interval(drawn[:, 2] - drawn[:, 0])
    return figures | _describe(states, int(log.visits.day[-1])) | _by_band(scored)


def score(log: Log) -> Scored:
    """Fit and score at each origin on what was known then; outcomes are of the 28 days after it."""
    first, last = int(log.visits.day[0]), int(log.visits.day[-1])
    states, known_to, parts = empty_states(log.n_people), first, []
    for origin in range(first + (last - first) // 2, last - RETURN_DAYS + 1, _STEP_DAYS):
        states = learn(states, log.of_days(known_to, origin + 1)).states
        known_to = origin + 1
        model = _fit(states[states["count"] > 0], origin)
        if not isinstance(model.activity, BgNbd):
            raise model.activity
        parts.append(_score_at(log, states, model, model.activity, origin))
    return Scored(*(np.concatenate(column, axis=-1) for column in zip(*parts, strict=True)))


def _fit(states: States, day: int) -> RhythmModel:
    people = KeyedStates(states, np.zeros(len(states), dtype=np.int64), (_KEY,))
    return fit_rhythms(people, day, _AT).models[_KEY]


def _score_at(log: Log, states: States, model: RhythmModel, fit: BgNbd, day: int) -> tuple[I64, I64, F64, I64]:
    who = np.flatnonzero(gap_counts(states) >= _MIN_REPEATS)
    asked = states[who]
    came = np.isin(who, log.of_days(day + 1, day + 1 + RETURN_DAYS).row).astype(np.int64)
    ratio = gap_ratios(asked, model.mean_gap_days, day)
    recency = asked["last"].astype(np.float64)
    scores = np.stack([recency - day, -ratio, fit.p_return(summarise(asked, day), RETURN_DAYS)])
    return who, came, scores, bands_of(ratio).astype(np.int64)


def auc(score: F64, came: I64, weight: F64) -> float:
    """How often one who came has the greater score than one who did not; ties count half."""
    _, place = np.unique(score, return_inverse=True)
    yes, no = np.bincount(place, weight * came), np.bincount(place, weight * (1 - came))
    below = np.cumsum(no) - no
    return float((yes * (below + 0.5 * no)).sum() / (yes.sum() * no.sum()))


def _drawn_people(n_people: int, who: I64) -> list[F64]:
    """How often each person is drawn, ``_DRAWS`` times over; of all people only those who were scored."""
    rng = np.random.default_rng(7)
    return [np.bincount(rng.choice(who, len(who)), minlength=n_people).astype(np.float64) for _ in range(_DRAWS)]


def _with_interval(drawn: F64) -> list[float]:
    return [round(float(value), 4) for value in (drawn[0], *np.percentile(drawn[1:], (2.5, 97.5)))]


def _describe(states: States, last: int) -> dict[str, Any]:
    """The whole log's parameters and shape; not what the scores stand on."""
    model = _fit(states[states["count"] > 0], last)
    figures: dict[str, Any] = {"has_rhythm": model.has_rhythm}
    if isinstance(model.regularity, Regularity):
        figures["shape"] = [model.regularity.shape, model.regularity.low, model.regularity.high]
    if isinstance(model.activity, BgNbd):
        figures["dropout"] = model.activity.dropout
        figures["r alpha a b"] = [model.activity.r, model.activity.alpha, model.activity.a, model.activity.b]
    return figures


def _by_band(scored: Scored) -> dict[str, Any]:
    """The share that came, by band, with the number of rows."""
    bands = [(BANDS[i], scored.came[scored.band == i]) for i in np.unique(scored.band)]
    return {f"came, {band}": [round(float(came.mean()), 3), len(came)] for band, came in bands}


def costs(n_people: int = 100_000) -> dict[str, float]:
    """CPU seconds a fit of 10,000 people and microseconds a visit learned, on a regular log."""
    log = draw_log(n_people, 3.0, 9)
    start_s = time.process_time()
    states = learn(empty_states(log.n_people), log.visits).states
    learn_s = time.process_time() - start_s
    start_s = time.process_time()
    _fit(states, int(log.visits.day[-1]))
    fit_s = time.process_time() - start_s
    one = VisitDays(np.array([5]), np.array([10_000]))
    start_s = time.process_time()
    for _ in range(1_000):
        learn(states[:10], one)
    one_s = time.process_time() - start_s
    per_visit_us = 1e6 * learn_s / len(log.visits.row)
    return {
        "people": n_people,
        "fit_s_per_10k": fit_s * 1e4 / n_people,
        "learn_us_a_visit": per_visit_us,
        "learn_us_alone": 1e3 * one_s,
    }


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]) if len(sys.argv) > 1 else None), indent=2))
