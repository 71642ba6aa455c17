"""How the tracker's motion constants were chosen: cross-validation over the survey walks of Xixi Intime.

Each survey walk is located by the map without itself, then filtered. Fold by fold (5, by walk) a coordinate search over
``GRID`` starts from the shipped constants and may change any; the fold's own walks are asked with what the others
chose. What the search gains over the shipped constants is what is left to gain. No test walk is read.

Run it with ``python -m benchmarks.track_choice``; the public data sets must be at hand.
"""

import json
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.malls import shared_root
from benchmarks.positioning.splits import is_test_walk
from fingerprints.scan import LabelledScan
from kernel.clock import to_epoch_us
from kernel.ids import VenueId
from positioning.choose import HeldOutScans
from positioning.confidence import predict_error_m
from positioning.kernels.track_places import advance_places
from positioning.radio_map import F64, choose_scans
from positioning.track.batch import sum_steps
from positioning.track.settings import WITH_STEPS, WITHOUT_STEPS, Motion
from positioning.train import train_venue
from runtime.survey_files import SurveyFormat, read_survey
from runtime.venue_files import VenueFormat, read_map
from venues.build import build_venue

N_FOLDS = 5
GRID: dict[str, tuple[float, ...]] = {
    "error_s": (2, 3, 4, 6, 9, 13, 20),
    "shared_ratio": (0.3, 0.45, 0.55, 0.65, 0.75, 0.85),
    "sd_ratio": (0.5, 0.65, 0.8, 1.0, 1.2),
    "heavy_tail": (2, 3, 5, 10, 1e3),
    "outlier_ratio": (0.3, 1, 2),
    "wander_m2ps": (0.02, 0.08, 0.2, 0.4, 0.8, 1.6),
    "speed_mps": (0.6, 0.8, 1.0, 1.3, 1.6),
    "speed_s": (1, 2, 4, 8, 16),
    "along_m2": (0.02, 0.05, 0.1, 0.15, 0.2, 0.3),
    "across_m2": (0.02, 0.05, 0.1, 0.25, 0.45, 0.6),
    "length_m": (0.6, 0.63, 0.66, 0.69),
    "length_sd_m": (0.005, 0.02, 0.05, 0.1),
    "aside_sd_m": (0.06, 0.09, 0.12, 0.18, 0.25),
}
_LEAST_GAIN_M = 1e-3


@dataclass(frozen=True, slots=True)
class Walks:
    """Survey scans sorted by walk and instant, their answers without their own walk, and the truth."""

    walk: NDArray[np.intp]
    turn: NDArray[np.int64]
    wait_s: F64
    walked: F64
    n_steps: F64
    xy_m: F64
    accuracy_m: F64
    true_m: F64

    def errors_m(self, motion: Motion, *, has_steps: bool) -> F64:
        """What the causal filter errs at each scan."""
        n_walks = int(self.walk.max()) + 1
        mean, covariance = np.zeros((n_walks, 6)), np.zeros((n_walks, 6, 6))
        found = np.empty_like(self.xy_m)
        for turn in range(int(self.turn.max()) + 1):
            at = np.flatnonzero(self.turn == turn)
            who = self.walk[at]
            of_mean, of_covariance = mean[who], covariance[who]
            yes, no = np.ones(len(at), dtype=np.bool_), np.zeros(len(at), dtype=np.bool_)
            steps = yes if has_steps else no
            advance_places(
                motion,
                motion,
                yes if turn == 0 else no,
                no,
                steps,
                steps,
                self.wait_s[at],
                self.walked[at],
                self.n_steps[at],
                self.xy_m[at],
                self.accuracy_m[at],
                of_mean,
                of_covariance,
            )
            mean[who], covariance[who] = of_mean, of_covariance
            found[at] = of_mean[:, :2]
        return np.asarray(np.linalg.norm(found - self.true_m, axis=1))


def run() -> dict[str, Any]:
    """Search with steps and without."""
    walks = held_out_walks()
    single_m = float(np.linalg.norm(walks.xy_m - walks.true_m, axis=1).mean())
    return {
        "n_scans": len(walks.walk),
        "single_m": single_m,
        "with_steps": _cross_validate(walks, WITH_STEPS, has_steps=True),
        "without_steps": _cross_validate(walks, WITHOUT_STEPS, has_steps=False),
    }


def held_out_walks() -> Walks:
    """Train on the survey walks, and ask each of them without itself."""
    folder = shared_root() / "data" / "xixi-intime"
    with tempfile.TemporaryDirectory() as unpacked:
        with tarfile.open(folder / "xixi-intime.tar.xz") as archive:
            archive.extractall(unpacked, filter="data")
        path = Path(unpacked) / "xixi-intime"
        venue = build_venue(read_map(path, VenueFormat.XYZ10, lenient=False).archive, VenueId("xixi"))
        scans = read_survey(path, SurveyFormat.XYZ10, steps=folder / "steps.csv.gz").scans
    survey = [item for item in scans if not is_test_walk(item.walk or "")]
    model = train_venue(survey, venue, venue_id=venue.id).model
    radio_map = model.radio_map
    kept = choose_scans(survey, radio_map.index)
    settled = HeldOutScans.of(radio_map, np.arange(radio_map.n_scans)).answer(model.settings)
    accuracy_m = predict_error_m(settled.features(), model.calibration.error) * model.calibration.error_scale
    order = sorted(range(len(kept)), key=lambda i: (kept[i].walk or "", kept[i].scan.at))
    return _walks([kept[i] for i in order], settled.xy_m[order], accuracy_m[order], radio_map.xy_m[order])


def _walks(kept: Sequence[LabelledScan], xy_m: F64, accuracy_m: F64, true_m: F64) -> Walks:
    n = len(kept)
    walk, turn = np.zeros(n, dtype=np.intp), np.zeros(n, dtype=np.int64)
    wait_s, walked, n_steps = np.zeros(n), np.zeros((n, 2)), np.zeros(n)
    for i in range(1, n):
        if kept[i].walk != kept[i - 1].walk:
            walk[i] = walk[i - 1] + 1
            continue
        walk[i], turn[i] = walk[i - 1], turn[i - 1] + 1
        wait_s[i] = (kept[i].scan.at - kept[i - 1].scan.at).total_seconds()
        walked[i, 0], walked[i, 1], n_steps[i] = sum_steps(kept[i].scan, to_epoch_us(kept[i - 1].scan.at))
    return Walks(walk, turn, wait_s, walked, n_steps, xy_m, accuracy_m, true_m)


def _cross_validate(walks: Walks, shipped: Motion, *, has_steps: bool) -> dict[str, Any]:
    shipped_m = walks.errors_m(shipped, has_steps=has_steps)
    searched_m = np.empty_like(shipped_m)
    for fold in range(N_FOLDS):
        is_out = walks.walk % N_FOLDS == fold
        chosen = _search(walks, shipped, ~is_out, has_steps=has_steps)
        searched_m[is_out] = walks.errors_m(chosen, has_steps=has_steps)[is_out]
    everywhere = _search(walks, shipped, np.ones(len(walks.walk), dtype=np.bool_), has_steps=has_steps)
    return {
        "shipped_m": float(shipped_m.mean()),
        "searched_anew_cross_validated_m": float(searched_m.mean()),
        "chosen_on_all": {
            name: value for name, value in everywhere._asdict().items() if value != getattr(shipped, name)
        },
        "chosen_on_all_m": float(walks.errors_m(everywhere, has_steps=has_steps).mean()),
    }


def _search(walks: Walks, motion: Motion, counted: NDArray[np.bool_], *, has_steps: bool) -> Motion:
    """Change one constant at a time while that gains a millimetre."""
    least_m = float(walks.errors_m(motion, has_steps=has_steps)[counted].mean())
    names = [name for name in GRID if getattr(motion, name) > 0 and (has_steps or name != "length_m")]
    goes_on = True
    while goes_on:
        goes_on = False
        for name in names:
            for value in GRID[name]:
                tried = motion._replace(**{name: float(value)})
                error_m = float(walks.errors_m(tried, has_steps=has_steps)[counted].mean())
                if error_m < least_m - _LEAST_GAIN_M:
                    motion, least_m, goes_on = tried, error_m, True
    return motion


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
