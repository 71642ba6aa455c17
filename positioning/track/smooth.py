"""Replay: where a phone was, told by the scans after as well as before. Not causal, so never on the live path.

The filter runs forward; then each place is corrected by the one that follows it (Rauch, Tung, Striebel, "Maximum
likelihood estimates of linear dynamic systems", 1965). What the forward pass made of an outlier stays as it was.
Places are smoothed; the filters over stores and over being inside stay causal and are ranked round the better places.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from fingerprints.scan import Scan
from positioning.kernels.track_places import fill_transition
from positioning.position import Located
from positioning.radio_map import F64
from positioning.track.batch import Place, sum_steps
from positioning.track.record import N_STATE, Records, unpack
from positioning.track.settings import RADIUS_RATIO, WITH_STEPS, WITHOUT_STEPS
from positioning.track.tracker import Tracker


def track_walk(tracker: Tracker, located: Sequence[Located], scans: Sequence[Scan]) -> list[Located]:
    """The causal answers of one phone's scans, in the order given."""
    return [answer for _, _, answer in _run(tracker, located, scans)]


def smooth_walk(
    tracker: Tracker, located: Sequence[Located], scans: Sequence[Scan], lag: timedelta | None
) -> list[Located]:
    """The answers of one phone's scans, each seeing the scans up to ``lag`` after it; None: all of them.

    The scans are in the order of their instants. Cost: scans times the scans within a lag.
    """
    run = _run(tracker, located, scans)
    links = [_link(run[i][1], run[i + 1][1], scans[i + 1]) for i in range(len(run) - 1)]
    places: list[Place | None] = []
    last = 0
    whole: list[tuple[F64, F64] | None] = _back(run, links, 0, len(run) - 1) if lag is None and run else []
    for i, (_, after, _) in enumerate(run):
        while lag is not None and last + 1 < len(run) and scans[last + 1].at - scans[i].at <= lag:
            last += 1
        last = max(last, i)
        found = whole[i] if lag is None else _back(run, links, i, last)[0]
        places.append(None if after is None or found is None else _place(*found))
    return tracker.answer_at([before for before, _, _ in run], located, scans, places)


_Ran = tuple[bytes | None, bytes | None, Located]


@dataclass(frozen=True, slots=True)
class _Link:
    """How the state of one scan became what was expected of the next: gain and expectation."""

    gain: F64
    mean: F64
    covariance: F64


def _run(tracker: Tracker, located: Sequence[Located], scans: Sequence[Scan]) -> list[_Ran]:
    """Record before, record after and answer of each scan."""
    record: bytes | None = None
    out: list[_Ran] = []
    for answer, scan in zip(located, scans, strict=True):
        before = record
        record, told = tracker.advance(before, answer, scan)
        out.append((before, record, told))
    return out


def _link(packed: bytes | None, packed_next: bytes | None, scan: Scan) -> _Link | None:
    """None where the next scan began anew, so that it says nothing of this one."""
    if packed is None or packed_next is None:
        return None
    here, following = unpack((packed,)), unpack((packed_next,))
    if not _goes_on(here, following):
        return None
    has_steps = bool(following["has_steps"][0])
    wait_s = float(following["at_us"][0] - here["at_us"][0]) / 1e6
    transition, noise = np.empty((N_STATE, N_STATE)), np.empty((N_STATE, N_STATE))
    motion = WITH_STEPS if has_steps else WITHOUT_STEPS
    fill_transition(motion, has_steps, wait_s, *sum_steps(scan, int(here["at_us"][0])), transition, noise)
    covariance = transition @ here["covariance"][0] @ transition.T + noise
    gain = np.linalg.solve(covariance, transition @ here["covariance"][0]).T
    return _Link(gain, transition @ here["mean"][0], covariance)


def _goes_on(here: Records, following: Records) -> bool:
    return bool(
        here["stamp"][0] == following["stamp"][0]
        and here["level"][0] == following["level"][0]
        and here["has_steps"][0] == following["has_steps"][0]
        and following["n_taken"][0] > here["n_taken"][0]
    )


def _back(run: Sequence[_Ran], links: Sequence[_Link | None], first: int, last: int) -> list[tuple[F64, F64] | None]:
    """Smoothed mean and covariance of the scans ``first`` to ``last``, seeing none after ``last``."""
    out: list[tuple[F64, F64] | None] = []
    later: tuple[F64, F64] | None = None
    for i in range(last, first - 1, -1):
        packed = run[i][1]
        if packed is None:
            later = None
        else:
            record = unpack((packed,))
            mean, covariance = record["mean"][0], record["covariance"][0]
            link = links[i] if i < last else None
            if link is not None and later is not None:
                mean = mean + link.gain @ (later[0] - link.mean)
                covariance = covariance + link.gain @ (later[1] - link.covariance) @ link.gain.T
            later = mean, covariance
        out.append(later)
    return out[::-1]


def _place(mean: F64, covariance: F64) -> Place:
    variance_m2 = max(float(covariance[0, 0] + covariance[1, 1]) / 2.0, 0.0)
    return float(mean[0]), float(mean[1]), RADIUS_RATIO * variance_m2**0.5
