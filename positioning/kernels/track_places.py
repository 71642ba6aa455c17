"""The Kalman filter of a phone's place: six numbers and their covariance (``track.record``), a phone a record."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from positioning.radio_map import F64
from positioning.track.settings import LEAST_ACCURACY_M, Motion

_WIDE_M2 = 1e4
"""Variance of a place before the first answer: 100 m, so that the answer alone counts."""


@njit(cache=True, nogil=True)
def begin_place(motion: Motion, has_steps: bool, keeps_gait: bool, mean: F64, covariance: F64) -> None:
    """Forget where the phone was; ``keeps_gait`` leaves step length and heading bias, which are the phone's own."""
    for i in range(6):
        for j in range(6):
            if not (keeps_gait and 2 <= i < 4 and 2 <= j < 4):
                covariance[i, j] = 0.0
    mean[0] = mean[1] = mean[4] = mean[5] = 0.0
    covariance[0, 0] = covariance[1, 1] = _WIDE_M2
    covariance[4, 4] = covariance[5, 5] = 1.0
    if not keeps_gait:
        begin_gait(motion, has_steps, mean, covariance)


@njit(cache=True, nogil=True)
def begin_gait(motion: Motion, has_steps: bool, mean: F64, covariance: F64) -> None:
    """The middle step (or standing), unrelated to all else."""
    for j in range(6):
        covariance[2, j] = covariance[3, j] = covariance[j, 2] = covariance[j, 3] = 0.0
    mean[3] = 0.0
    if has_steps:
        mean[2] = motion.length_m
        covariance[2, 2] = motion.length_sd_m**2
        covariance[3, 3] = motion.aside_sd_m**2
    else:
        mean[2] = 0.0
        covariance[2, 2] = covariance[3, 3] = motion.speed_mps**2


@njit(cache=True, nogil=True)
def fill_transition(
    motion: Motion, has_steps: bool, wait_s: float, east: float, north: float, n_steps: float, out: F64, noise: F64
) -> None:
    """The linear motion over ``wait_s``: ``out`` (6, 6) and its ``noise`` (6, 6).

    ``east`` and ``north`` are the sums of the steps' unit vectors. A step that goes a metres forward and b metres aside
    (to the right) of a heading h moves a (sin h, cos h) + b (cos h, -sin h): linear in a and b.
    """
    out[:, :] = 0.0
    noise[:, :] = 0.0
    for i in range(6):
        out[i, i] = 1.0
    shared = np.exp(-wait_s / motion.error_s)
    out[4, 4] = out[5, 5] = shared
    noise[4, 4] = noise[5, 5] = 1.0 - shared * shared
    noise[0, 0] = noise[1, 1] = motion.wander_m2ps * wait_s
    if has_steps:
        out[0, 2] = east
        out[0, 3] = north
        out[1, 2] = north
        out[1, 3] = -east
        length = np.hypot(east, north)
        if length > 0.0:
            along, across = motion.along_m2 * n_steps, motion.across_m2 * n_steps
            x, y = east / length, north / length
            noise[0, 0] += along * x * x + across * y * y
            noise[1, 1] += along * y * y + across * x * x
            noise[0, 1] = noise[1, 0] = (along - across) * x * y
    else:
        kept = np.exp(-wait_s / motion.speed_s)
        out[0, 2] = out[1, 3] = motion.speed_s * (1.0 - kept)
        out[2, 2] = out[3, 3] = kept
        noise[2, 2] = noise[3, 3] = motion.speed_mps**2 * (1.0 - kept * kept)


@njit(cache=True, nogil=True)
def predict_place(transition: F64, noise: F64, mean: F64, covariance: F64) -> None:
    """Move the state on: mean F m, covariance F C F' + Q."""
    moved = np.zeros(6)
    half = np.zeros((6, 6))
    for i in range(6):
        for k in range(6):
            if transition[i, k] != 0.0:
                moved[i] += transition[i, k] * mean[k]
                for j in range(6):
                    half[i, j] += transition[i, k] * covariance[k, j]
    mean[:] = moved
    for i in range(6):
        for j in range(6):
            total = noise[i, j]
            for k in range(6):
                if transition[j, k] != 0.0:
                    total += half[i, k] * transition[j, k]
            covariance[i, j] = total


@njit(cache=True, nogil=True)
def take_answer(motion: Motion, x_m: float, y_m: float, accuracy_m: float, mean: F64, covariance: F64) -> None:
    """Take a scan's answer: place + shared error + its own error, an outlier's variance raised.

    An answer whose squared distance from what was expected is d2 (in variances) counts as (f + 2) / (f + d2) of itself,
    f = ``heavy_tail``: the weight of a Student t error (Lange, Little, Taylor, "Robust statistical modeling using the t
    distribution", 1989).
    """
    sd_m = max(accuracy_m, LEAST_ACCURACY_M) * motion.sd_ratio
    shared_m = np.sqrt(motion.shared_ratio) * sd_m
    own_m2 = (1.0 - motion.shared_ratio) * sd_m * sd_m
    cross = np.empty((6, 2))
    for i in range(6):
        cross[i, 0] = covariance[i, 0] + shared_m * covariance[i, 4]
        cross[i, 1] = covariance[i, 1] + shared_m * covariance[i, 5]
    xx = cross[0, 0] + shared_m * cross[4, 0] + own_m2
    yy = cross[1, 1] + shared_m * cross[5, 1] + own_m2
    xy = cross[0, 1] + shared_m * cross[4, 1]
    off_x = x_m - mean[0] - shared_m * mean[4]
    off_y = y_m - mean[1] - shared_m * mean[5]
    squared = (off_x * off_x * yy - 2.0 * off_x * off_y * xy + off_y * off_y * xx) / (xx * yy - xy * xy)
    weight = (motion.heavy_tail + 2.0) / (motion.heavy_tail + squared)
    if weight < 1.0:
        added_m2 = (1.0 / weight - 1.0) * sd_m * sd_m * motion.outlier_ratio
        xx += added_m2
        yy += added_m2
    determinant = xx * yy - xy * xy
    for i in range(6):
        gain_x = (cross[i, 0] * yy - cross[i, 1] * xy) / determinant
        gain_y = (cross[i, 1] * xx - cross[i, 0] * xy) / determinant
        mean[i] += gain_x * off_x + gain_y * off_y
        for j in range(6):
            covariance[i, j] -= gain_x * cross[j, 0] + gain_y * cross[j, 1]


@njit(cache=True, nogil=True)
def advance_places(
    with_steps: Motion,
    without_steps: Motion,
    is_new: NDArray[np.bool_],
    keeps_gait: NDArray[np.bool_],
    had_steps: NDArray[np.bool_],
    has_steps: NDArray[np.bool_],
    wait_s: F64,
    walked: F64,
    n_steps: F64,
    xy_m: F64,
    accuracy_m: F64,
    mean: F64,
    covariance: F64,
) -> None:
    """Advance n phones' places in place; rows of ``xy_m`` that are NaN move on without an answer."""
    transition, noise = np.empty((6, 6)), np.empty((6, 6))
    for i in range(len(wait_s)):
        motion = with_steps if has_steps[i] else without_steps
        if is_new[i]:
            begin_place(motion, has_steps[i], keeps_gait[i] and had_steps[i] == has_steps[i], mean[i], covariance[i])
        else:
            if had_steps[i] != has_steps[i]:
                begin_gait(motion, has_steps[i], mean[i], covariance[i])
            fill_transition(motion, has_steps[i], wait_s[i], walked[i, 0], walked[i, 1], n_steps[i], transition, noise)
            predict_place(transition, noise, mean[i], covariance[i])
        if not np.isnan(xy_m[i, 0]):
            take_answer(motion, xy_m[i, 0], xy_m[i, 1], accuracy_m[i], mean[i], covariance[i])
