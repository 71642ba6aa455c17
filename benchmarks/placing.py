"""How far off may Xixi's surveyed places be? The phone's own steps against the marks of the surveyors.

A surveyor marks points of a walk on a plan; the phone counts steps and their headings meanwhile. From one mark to the
next the two tell the same way, up to errors of both. Were each mark off by itself, one difference would be too long
where the next is too short: their covariance from one stretch to the next would be minus the variance of a mark's
error. That of steps is about zero. What marks have wrong for a whole walk cannot be seen in differences.

Run it with ``python -m benchmarks.placing``.
"""

import csv
import gzip
import json
import os
import tarfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FEWEST_STEPS, _FEWEST_MARKS = 20, 6
_LEAST_STEP_M, _GREATEST_STEP_M = 0.4, 0.9
"""Walks with other step lengths have lost their steps, or their marks."""
_MOST_M = 4.0
"""A difference counts as this long at most, so that a few lost steps do not make the figure."""


def run() -> dict[str, Any]:
    """The figures; an empty result where the public data set is not on this machine."""
    root = Path(os.environ.get("ATRIUM_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data/xixi-intime"
    if not root.is_dir():
        return {"error": "the Xixi data set is not on this machine (ATRIUM_SHARED)"}
    marks, steps = _read_marks(root / "xixi-intime.tar.xz"), _read_steps(root / "steps.csv.gz")
    names = [n for n in marks if len(marks[n]) >= _FEWEST_MARKS and len(steps.get(n, ())) >= _FEWEST_STEPS]
    compared = [_differences_m(marks[n], steps[n]) for n in sorted(names)]
    kept = [by_m for step_m, by_m in compared if _LEAST_STEP_M < step_m < _GREATEST_STEP_M]
    gaps_s = np.concatenate([np.diff(marks[name][:, 0]) / 1_000.0 for name in names])
    return {
        "walks": len(kept),
        "between_marks_s": round(float(np.median(gaps_s)), 2),
        "difference_sd_m": round(float(np.sqrt(_covariance(kept, 0))), 2),
        "covariance_m2": [round(_covariance(kept, lag), 3) for lag in range(4)],
    }


def _differences_m(marks: NDArray[np.float64], steps: NDArray[np.float64]) -> tuple[float, NDArray[np.complex128]]:
    """The walk's step length, and marks less steps from each mark to the next; heading and length are the walk's."""
    heading = np.radians(steps[:, 1])
    way = np.concatenate([[0.0], np.cumsum(np.sin(heading) + 1j * np.cos(heading))])
    at_ms = np.concatenate([[steps[0, 0] - 500.0], steps[:, 0]])
    stepped = np.diff(np.interp(marks[:, 0], at_ms, way.real) + 1j * np.interp(marks[:, 0], at_ms, way.imag))
    marked = np.diff(marks[:, 1] + 1j * marks[:, 2])
    turn = (np.conj(stepped) * marked).sum() / max(float((np.abs(stepped) ** 2).sum()), 1e-9)
    by_m = marked - turn * stepped
    return float(abs(turn)), by_m * np.minimum(1.0, _MOST_M / np.maximum(np.abs(by_m), 1e-9))


def _covariance(walks: list[NDArray[np.complex128]], lag: int) -> float:
    """Of differences so many stretches apart, on one axis, m2."""
    pairs = [(walk[: len(walk) - lag], walk[lag:]) for walk in walks if len(walk) > lag]
    return float(sum((a * np.conj(b)).real.sum() for a, b in pairs) / sum(len(a) for a, _ in pairs) / 2.0)


def _read_marks(path: Path) -> dict[str, NDArray[np.float64]]:
    """(n_marks, 3) by walk: ms, x and y in metres of the floor plan."""
    found: dict[str, NDArray[np.float64]] = {}
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name.endswith(".txt") else None
            if file is None or "path_data_files" not in member.name:
                continue
            rows = [line.split(b"\t") for line in file if b"\tTYPE_WAYPOINT\t" in line]
            found[Path(member.name).stem] = np.array([(float(r[0]), float(r[2]), float(r[3])) for r in rows])
    return found


def _read_steps(path: Path) -> dict[str, NDArray[np.float64]]:
    """(n_steps, 2) by walk: ms, heading clockwise from north."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["walk"]].append((float(row["t_ms"]), float(row["heading_deg"])))
    return {name: np.array(rows) for name, rows in found.items()}


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
