"""Whether a bundle's numbers can be a model: kernels look places up without asking, so what is read is asked here.

The file's own hash tells damage, not intent: anyone who may write it can write another hash.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from positioning.kernels.confidence import N_ANSWER_FEATURES
from positioning.kernels.fronts import N_FEATURES

_MOST_NEIGHBOURS = 4_096
_INSIDE_WITHOUT_DENSITIES = 6
"""Weights of "inside any store" but those of the densities, two a representation (``confidence.describe_inside``)."""
_LENGTHS = {
    "error": {N_ANSWER_FEATURES},
    "level": {N_ANSWER_FEATURES},
    "front": {0, N_FEATURES},
    "outside": {0, 3},
    "rank": {0, 1 + N_FEATURES},
}


def check_part(content: dict[str, Any], arrays: dict[str, NDArray[Any]], n_stores: int) -> None:
    """Check shapes and ranges of a model's numbers; ``n_stores`` are the venue's.

    Raises:
        ValueError: with what was expected.
    """
    n_scans, n_transmitters, n_levels = len(arrays["xy_m"]), len(content["transmitters"]), len(content["levels"])
    n_readings = len(arrays["transmitter"])
    indptr = arrays["indptr"]
    _expect(indptr.shape == (n_scans + 1,) and indptr[0] == 0 and indptr[-1] == n_readings, "indptr of each scan")
    _expect(bool((np.diff(indptr) >= 0).all()), "an ascending indptr")
    _expect(arrays["xy_m"].shape == (n_scans, 2) and bool(np.isfinite(arrays["xy_m"]).all()), "places")
    for name in ("rssi_dbm", "age_ms"):
        _expect(arrays[name].shape == (n_readings,), f"{name} of each reading")
    _expect(bool((np.abs(arrays["rssi_dbm"]) <= 1_000).all()), "finite powers")
    for name, least, end, length in (
        ("transmitter", 0, n_transmitters, n_readings),
        ("level", 0, n_levels, n_scans),
        ("store", -1, n_stores, n_scans),
        ("walk", -1, 2**31 - 1, n_scans),
        ("n_heard", 0, 2**31 - 1, n_scans),
        ("radio", 0, n_transmitters, n_transmitters),
        ("born", 0, len(arrays["epoch_first"]) - 1, n_transmitters),
    ):
        values = arrays[name]
        _expect(values.shape == (length,), f"{length} of {name}, found shape {values.shape}")
        _expect(length == 0 or (values.min() >= least and values.max() < end), f"{name} of {least} to {end - 1}")
    first = arrays["epoch_first"]
    _expect(bool(first[0] == 0 and (np.diff(first) >= 0).all()), "epochs in order")
    _check_numbers(content)


def _check_numbers(content: dict[str, Any]) -> None:
    calibration, settings = content["calibration"], content["settings"]
    n_voting = len(settings["weighing"]["representations"])
    lengths = _LENGTHS | {"inside": {0, _INSIDE_WITHOUT_DENSITIES + 2 * n_voting}}
    for name, value in calibration.items():
        if isinstance(value, list):
            _expect(all(_is_number(item) for item in value), f"numbers as {name}")
            _expect(len(value) in lengths[name], f"{lengths[name]} weights as {name}, found {len(value)}")
        elif name != "ranker":
            _expect(_is_number(value), f"a number as {name}")
    for name in ("k", "n_short"):
        _expect(isinstance(settings[name], int) and 1 <= settings[name] <= _MOST_NEIGHBOURS, f"{name} of 1 and more")
    _expect(all(_is_number(item) for item in content["frame"]), "a frame of degrees")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"expected {what}")
