"""The compiled loop that hears: which ids a phone lists at a place, how strong, how old.

Each scan draws from a stream of its own, counted from a seed and the scan's number, so what it hears does not hang on
which other scans are asked with it, in which order, or by how many workers.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

_N_QUANTILES = 4_096
_QUANTILES = (np.arange(_N_QUANTILES) + 0.5) / _N_QUANTILES
NORMALS = ndtri(_QUANTILES).astype(np.float32)
EXPONENTIALS = (-np.log(_QUANTILES)).astype(np.float32)
"""A draw is one of these quantiles, chosen by 12 random bits: both tables stay in the first cache."""
_GREATEST_NORMAL = 3.7
MEMORY_SIZE = 768
"""Readings that a phone's list can hold; what comes after the first so many, by id, is not listed."""


@numba.njit(cache=True, nogil=True)
def index_cells(
    mean_dbm: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """The radios of each place, ascending, as CSR.

    Args:
        mean_dbm: (n_places, n_radios), NaN where never heard.

    Returns:
        ``indptr`` (n_places + 1,), ``radio`` and ``mean`` (n_entries,).
    """
    n_places, n_radios = mean_dbm.shape
    indptr = np.zeros(n_places + 1, dtype=np.int64)
    for place in range(n_places):
        n = 0
        for r in range(n_radios):
            n += not math.isnan(mean_dbm[place, r])
        indptr[place + 1] = indptr[place] + n
    radio = np.empty(indptr[-1], dtype=np.int32)
    mean = np.empty(indptr[-1], dtype=np.float32)
    for place in range(n_places):
        at = indptr[place]
        for r in range(n_radios):
            if not math.isnan(mean_dbm[place, r]):
                radio[at] = r
                mean[at] = mean_dbm[place, r]
                at += 1
    return indptr, radio, mean


@numba.njit(cache=True, nogil=True, inline="always")
def _mix(z: np.uint64) -> np.uint64:
    """64 bits that look random, of any 64 bits (SplitMix64's output function)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@numba.njit(cache=True, nogil=True, inline="always")
def _next(state: np.uint64) -> tuple[np.uint64, np.uint64]:
    """SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): the next state and 64 random bits."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    return state, _mix(state)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def hear_scans(  # noqa: PLR0912, PLR0915  one pass over flat arrays
    seed: np.uint64,
    number: NDArray[np.int64],
    cell: NDArray[np.int64],
    cell_xy_m: NDArray[np.float64],
    who: NDArray[np.int64],
    at_ms: NDArray[np.int64],
    facing_rad: NDArray[np.float64],
    walk_seed: NDArray[np.uint64],
    receiver: NDArray[np.float64],
    only_beacons: NDArray[np.bool_],
    c_indptr: NDArray[np.int64],
    c_radio: NDArray[np.int32],
    c_mean: NDArray[np.float32],
    radio_xy_m: NDArray[np.float64],
    is_beacon: NDArray[np.bool_],
    soft_db: NDArray[np.float64],
    r_indptr: NDArray[np.int64],
    normals: NDArray[np.float32],
    exponentials: NDArray[np.float32],
    fading_sd_db: float,
    slow_sd_db: float,
    slow_ms: float,
    carry_sd_db: float,
    walk_miss_ratio: float,
    frame_sd_db: float,
    edge_miss_ratio: float,
    hand_sd_db: float,
    body_db: float,
    body_radius_m: float,
    gain_pivot_dbm: float,
    radio_miss_ratio: float,
    miss_ratio: float,
    mean_age_ms: float,
    stale_ratio: float,
    stale_limit_ms: float,
    m_size: NDArray[np.int64],
    m_at_ms: NDArray[np.int64],
    m_id: NDArray[np.int32],
    m_rssi: NDArray[np.int16],
    m_age_ms: NDArray[np.float32],
    out_indptr: NDArray[np.int64],
    out_id: NDArray[np.int32],
    out_rssi: NDArray[np.int16],
    out_age_ms: NDArray[np.float32],
) -> None:
    """Hear one scan after the other; a phone's scans must come in the order of time.

    A radio's power in the scan is its mean, slow fading that a phone keeps for a while (of each radio, and of all by
    how it is carried), fast fading, the hand and the body of the holder, read through the receiver; some radios are
    silent for a phone's whole walk, its ids are missed one by one. Slow fading between two knots ``slow_ms`` apart
    turns from the one's draw to the other's, at a constant deviation. Then those that the phone's last list had and
    this scan missed are listed again, each with ``stale_ratio``, at their old power and with their age.

    Args:
        number: (n,) counts the scan in its stream; the same number gives the same draws.
        cell: (n,) the place, a row of ``c_indptr``; ``cell_xy_m`` (n, 2) where it is.
        facing_rad: (n,) where the holder faces; NaN for any way.
        walk_seed: (n_phones,) of the slow fading and the silent radios of each phone.
        who: (n,) the phone: a row of ``receiver`` (n_phones, 3: offset, gain, sensitivity), ``only_beacons`` and m_*.
        c_*: of ``index_cells``.
        r_indptr: ids are numbered radio by radio; those of radio r are ``r_indptr[r]`` to ``r_indptr[r + 1]``.
        m_*: what each phone listed last, by id, (n_phones, MEMORY_SIZE); changed here.
        out_*: room for MEMORY_SIZE readings a scan; filled by id.
    """
    radio_miss = np.uint64(radio_miss_ratio * 65_536.0)
    miss = np.uint64(miss_ratio * 65_536.0)
    edge_miss = np.uint64(edge_miss_ratio * 65_536.0)
    stale = np.uint64(stale_ratio * 65_536.0)
    walk_miss = np.uint64(walk_miss_ratio * 65_536.0)
    keeps_slowly = slow_sd_db > 0.0 or walk_miss_ratio > 0.0
    low16, low12 = np.uint64(0xFFFF), np.uint64(0xFFF)
    heard_id = np.empty(MEMORY_SIZE, dtype=np.int32)
    heard_rssi = np.empty(MEMORY_SIZE, dtype=np.int16)
    heard_age_ms = np.empty(MEMORY_SIZE, dtype=np.float32)
    out_indptr[0] = 0
    for i in range(len(cell)):
        n = 0
        state = seed ^ (np.uint64(number[i]) * np.uint64(0xD1B54A32D192ED03))
        knot, turned = 0, 0.0
        if slow_sd_db > 0.0 or carry_sd_db > 0.0:
            knot = int(at_ms[i] // slow_ms)
            turned = (at_ms[i] / slow_ms - knot) * (math.pi / 2.0)
        slow_from, slow_to = math.cos(turned), math.sin(turned)
        state, bits = _next(state)
        hand_db = hand_sd_db * normals[bits & low12]
        if carry_sd_db > 0.0:
            first = _mix(~walk_seed[who[i]] + np.uint64(knot) * np.uint64(0xD1B54A32D192ED03))
            then = _mix(~walk_seed[who[i]] + np.uint64(knot + 1) * np.uint64(0xD1B54A32D192ED03))
            hand_db += carry_sd_db * (slow_from * normals[first & low12] + slow_to * normals[then & low12])
        facing = float((bits >> np.uint64(16)) & np.uint64(0xFFFFFFFF)) * (2.0 * math.pi / 4_294_967_296.0)
        if not math.isnan(facing_rad[i]):
            facing = facing_rad[i]
        ahead_x, ahead_y = body_db * math.cos(facing), body_db * math.sin(facing)
        phone = who[i]
        offset_db, gain, sensitivity_dbm = receiver[phone, 0], receiver[phone, 1], receiver[phone, 2]
        needed_dbm = (sensitivity_dbm - offset_db - gain_pivot_dbm) / gain + gain_pivot_dbm - hand_db
        least_mean_dbm = needed_dbm - _GREATEST_NORMAL * (fading_sd_db + 1.5 * slow_sd_db)
        x, y = cell_xy_m[i, 0], cell_xy_m[i, 1]
        for at in range(c_indptr[cell[i]], c_indptr[cell[i] + 1]):
            mean = c_mean[at]
            if mean < least_mean_dbm:
                continue
            radio = np.uint64(c_radio[at])
            if only_beacons[phone] and not is_beacon[radio]:
                continue
            state, bits = _next(state)
            if (bits >> np.uint64(12)) & low16 < radio_miss:
                continue
            power = mean + fading_sd_db * normals[bits & low12]
            if keeps_slowly:
                own = _mix(walk_seed[phone] + radio * np.uint64(0x9E3779B97F4A7C15))
                if own & low16 < walk_miss:
                    continue
                first = _mix(own + np.uint64(knot) * np.uint64(0xD1B54A32D192ED03))
                then = _mix(own + np.uint64(knot + 1) * np.uint64(0xD1B54A32D192ED03))
                power += slow_sd_db * (slow_from * normals[first & low12] + slow_to * normals[then & low12])
            if power < needed_dbm:
                continue
            dx, dy = radio_xy_m[radio, 0] - x, radio_xy_m[radio, 1] - y
            behind_db = -(dx * ahead_x + dy * ahead_y)
            if behind_db > 0.0:
                power -= behind_db / math.sqrt(dx * dx + dy * dy + body_radius_m * body_radius_m)
                if power < needed_dbm:
                    continue
            if edge_miss_ratio > 0.0:
                state, more = _next(state)
                if more & low16 < edge_miss:
                    if power < needed_dbm + soft_db[radio] * exponentials[(more >> np.uint64(16)) & low12]:
                        continue
            read_dbm = gain_pivot_dbm + gain * (power + hand_db - gain_pivot_dbm) + offset_db
            rssi = np.int16(min(max(round(read_dbm), -110.0), -10.0))
            age_ms = np.float32(float((bits >> np.uint64(28)) & low16) * (2.0 * mean_age_ms / 65_536.0))
            for one in range(r_indptr[radio], r_indptr[radio + 1]):
                state, bits = _next(state)
                if bits & low16 < miss or n == MEMORY_SIZE:
                    continue
                if frame_sd_db > 0.0:
                    frame_dbm = read_dbm + gain * frame_sd_db * normals[(bits >> np.uint64(16)) & low12]
                    rssi = np.int16(min(max(round(frame_dbm), -110.0), -10.0))
                heard_id[n], heard_rssi[n], heard_age_ms[n] = one, rssi, age_ms
                n += 1
        since_ms = np.float32(at_ms[i] - m_at_ms[phone])
        start = out_indptr[i]
        to, most = start, start + MEMORY_SIZE
        f = 0
        for k in range(m_size[phone]):  # both lists come by id
            one = m_id[phone, k]
            while f < n and heard_id[f] < one and to < most:
                out_id[to], out_rssi[to], out_age_ms[to] = heard_id[f], heard_rssi[f], heard_age_ms[f]
                f += 1
                to += 1
            if f < n and heard_id[f] == one:
                continue
            state, bits = _next(state)
            age_ms = m_age_ms[phone, k] + since_ms
            if bits & low16 < stale and age_ms <= stale_limit_ms and to < most:
                out_id[to], out_rssi[to], out_age_ms[to] = one, m_rssi[phone, k], age_ms
                to += 1
        while f < n and to < most:
            out_id[to], out_rssi[to], out_age_ms[to] = heard_id[f], heard_rssi[f], heard_age_ms[f]
            f += 1
            to += 1
        n = to - start
        for k in range(n):
            m_id[phone, k] = out_id[start + k]
            m_rssi[phone, k] = out_rssi[start + k]
            m_age_ms[phone, k] = out_age_ms[start + k]
        m_size[phone] = n
        m_at_ms[phone] = at_ms[i]
        out_indptr[i + 1] = start + n
