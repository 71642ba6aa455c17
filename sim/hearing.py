"""The compiled loop that hears: which ids a phone lists at a place, how strong, how old.

Each scan draws from streams of its own, counted from a seed and the scan's number, so what it hears does not hang on
which other scans are asked with it, in which order, or by how many workers.

It is made for speed: a scan is a few passes over flat arrays, each so plain that it becomes vector instructions, or at
least has no branch to guess wrong. Positions are unsigned, as numba looks for negative ones otherwise, and passes get
whole arrays and a beginning, as each slice would be counted as a reference (docs/simulation.md says what that gains).
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from sim.draws import F32, I32, STEP, U32, U64, draw32, exponential16, is_within, mix64, normal32, other16
from sim.hearing_arrays import MEMORY_SIZE, Effects, Lists, Phones, Places, Scans

_LOW16 = U32(0xFFFF)
_KEPT = U32(1 << 31)
_ID, _RSSI = U64(40), U64(32)
"""A reading is 64 bits: id, dropped or not (bit 39), -rssi (7 bits), age as a float. By value they come by id."""
_DROPPED_AT = U64(39)
_LAST = U64(0xFFFFFFFFFFFFFFFF)
_WEAKEST_DBM, _STRONGEST_DBM = F32(-110.0), F32(-10.0)
_NEVER = F32(-np.inf)
_FASTMATH = {"contract", "nsz"}


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _knot(effects: Effects, at_ms: int) -> tuple[int, float, float]:
    """The last knot of slow fading, and how much its draws and the next one's count now."""
    if effects.slow_sd_db <= 0.0 and effects.carry_sd_db <= 0.0:
        return 0, 1.0, 0.0
    knot = math.floor(at_ms / effects.slow_ms)
    turned = (at_ms / effects.slow_ms - knot) * (math.pi / 2.0)
    return int(knot), math.cos(turned), math.sin(turned)


@numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _shared_db(
    effects: Effects, bits: np.uint64, walk_seed: np.uint64, knot: int, from_share: float, to_share: float
) -> np.float64:
    """What all radios of a scan gain together: the hand, and how the phone is carried for a while."""
    shared_db = effects.hand_sd_db * normal32(U32(bits))
    if effects.carry_sd_db > 0.0:
        first, then = mix64(~walk_seed + U64(knot) * STEP), mix64(~walk_seed + U64(knot + 1) * STEP)
        shared_db += effects.carry_sd_db * (from_share * normal32(U32(first)) + to_share * normal32(U32(then)))
    return np.float64(shared_db)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _fade_slowly(
    at: int, n: int, row: NDArray[np.uint32], mean_dbm: NDArray[np.float32], walk_seed: np.uint64, knot: int,
    from_db: float, to_db: float, walk_miss_ratio: float, level_dbm: NDArray[np.float32],
) -> None:  # fmt: skip
    """The means with each radio's own slow fading; silent radios of the walk never come through."""
    own = mix64(walk_seed)
    at_knot, at_next = mix64(own + U64(knot) * STEP), mix64(own + U64(knot + 1) * STEP)
    from_, to = F32(from_db), F32(to_db)
    for k in range(n):
        radio = U32(row[U64(at + n + k)] & _LOW16)
        slow_db = F32(from_ * normal32(draw32(at_knot, radio)) + to * normal32(draw32(at_next, radio)))
        is_silent = is_within(draw32(own, radio) >> U32(16), walk_miss_ratio)
        level_dbm[k] = _NEVER if is_silent else F32(mean_dbm[U64(at + k)] + slow_db)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _silence_wifi(
    at: int, n: int, row: NDArray[np.uint32], is_beacon: NDArray[np.bool_], level_dbm: NDArray[np.float32]
) -> None:
    for k in range(n):
        if not is_beacon[U64(row[U64(at + n + k)] & _LOW16)]:
            level_dbm[k] = _NEVER


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _receive(
    at: int, n: int, row: NDArray[np.uint32], level_dbm: NDArray[np.float32], key: np.uint64, fading_sd_db: float,
    ahead_east_db: float, ahead_north_db: float, radio_miss_ratio: float, needed_dbm: float, gain: float,
    shift_dbm: float, word: NDArray[np.uint32],
) -> None:  # fmt: skip
    """Fading and body of each entry, and whether it comes through.

    Args:
        ahead_east_db, ahead_north_db: the body's loss as a vector along which the holder faces.
        needed_dbm: the least power that the phone lists; it reads ``gain`` times the power, and ``shift_dbm``.
        word: (n,) filled: ``_KEPT``, -rssi from bit 16 on, the radio; 0 where the phone does not hear it.
    """
    sd, needed, g, shift = F32(fading_sd_db), F32(needed_dbm), F32(gain), F32(shift_dbm)
    ahead_east, ahead_north = F32(ahead_east_db / 127.0), F32(ahead_north_db / 127.0)
    for k in range(n):
        packed = row[U64(at + n + k)]
        bits = draw32(key, U32(packed & _LOW16))
        east = F32(I32(I32(U32(packed << U32(8))) >> I32(24)))
        north = F32(I32(I32(packed) >> I32(24)))
        ahead_db = F32(east * ahead_east + north * ahead_north)
        power_dbm = F32(level_dbm[k] + sd * normal32(bits) + (ahead_db if ahead_db < F32(0.0) else F32(0.0)))
        read_dbm = F32(np.rint(F32(g * power_dbm + shift)))
        read_dbm = read_dbm if read_dbm > _WEAKEST_DBM else _WEAKEST_DBM
        read_dbm = read_dbm if read_dbm < _STRONGEST_DBM else _STRONGEST_DBM
        heard = U32(_KEPT | U32(U32(I32(-read_dbm)) << U32(16)) | U32(packed & _LOW16))
        word[k] = heard if (power_dbm >= needed) & (not is_within(other16(bits), radio_miss_ratio)) else U32(0)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _pack(n: int, word: NDArray[np.uint32], kept: NDArray[np.uint32]) -> int:
    """The words that are kept, without the gaps; how many."""
    to = U64(0)
    for k in range(n):
        kept[to] = word[k]
        to = U64(to + U64(word[k] >> U32(31)))
    return int(np.int64(to))


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _soften_edge(
    n: int, kept: NDArray[np.uint32], key: np.uint64, edge_miss_ratio: float, soft_db: NDArray[np.float32],
    sensitivity_dbm: float, word: NDArray[np.uint32],
) -> None:  # fmt: skip
    """Misses radios the likelier the nearer they are to what the phone still reads; fills ``word`` as ``_receive``."""
    least_dbm = F32(sensitivity_dbm)
    for k in range(n):
        radio = U32(kept[k] & _LOW16)
        bits = draw32(key, radio)
        margin_db = F32(F32(-F32(I32(U32(kept[k] >> U32(16)) & U32(0x7F)))) - least_dbm)
        more_db = F32(soft_db[U64(radio)] * exponential16(other16(bits)))
        is_missed = is_within(bits & _LOW16, edge_miss_ratio) & (margin_db < more_db)
        word[k] = U32(0) if is_missed else kept[k]


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _draw_ages(
    n: int, kept: NDArray[np.uint32], key: np.uint64, mean_age_ms: float,
    bits: NDArray[np.uint32], age_ms: NDArray[np.float32],
) -> None:  # fmt: skip
    """How old each radio's readings are: anything up to the length of the sweep; and bits for its first two ids."""
    step_ms = F32(2.0 * mean_age_ms / 65_536.0)
    for k in range(n):
        drawn = draw32(key, U32(kept[k] & _LOW16))
        bits[k] = drawn
        age_ms[k] = F32(step_ms * F32(I32(other16(drawn))))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _list_ids(
    n: int, kept: NDArray[np.uint32], bits: NDArray[np.uint32], age_ms: NDArray[np.float32], key: np.uint64,
    miss_ratio: float, first_id: NDArray[np.int64], fresh: NDArray[np.uint64],
) -> int:  # fmt: skip
    """The readings of the radios' ids, less those missed; how many.

    Most radios have one id or two: these are written without asking, and what is not to be is written over.
    """
    to = U64(0)
    for k in range(n):
        radio = U64(kept[k] & _LOW16)
        one, end = U64(first_id[radio]), U64(first_id[U64(radio + U64(1))])
        reading = U64(U64((kept[k] >> U32(16)) & U32(0x7F)) << _RSSI | U64(F32(age_ms[k]).view(np.uint32)))
        fresh[to] = one << _ID | reading
        to = U64(to + U64((one < end) & (not is_within(bits[k] & _LOW16, miss_ratio))))
        second = U64(one + U64(1))
        fresh[to] = second << _ID | reading
        to = U64(to + U64((second < end) & (not is_within(bits[k] >> U32(16), miss_ratio))))
        for further in range(U64(one + U64(2)), end):
            fresh[to] = U64(further) << _ID | reading
            to = U64(to + U64(not is_within(draw32(key, U32(further)) >> U32(16), miss_ratio)))
    return int(np.int64(to))


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _blur(n: int, fresh: NDArray[np.uint64], key: np.uint64, frame_sd_db: float) -> None:
    """Noise of each reading, beside what its radio's ids have in common."""
    sd = F32(frame_sd_db)
    for k in range(n):
        reading = fresh[k]
        louder = I32(F32(np.rint(F32(sd * normal32(draw32(key, U32(reading >> _ID)))))))
        weak = I32(I32(U32(reading >> _RSSI) & U32(0x7F)) - louder)
        weak = min(max(weak, I32(-_STRONGEST_DBM)), I32(-_WEAKEST_DBM))
        fresh[k] = (reading & ~(U64(0x7F) << _RSSI)) | U64(U32(weak)) << _RSSI


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _keep_old(
    phone: int, n: int, listed: NDArray[np.uint64], since_ms: int, key: np.uint64, stale_ratio: float,
    stale_limit_ms: float, aged: NDArray[np.uint64], old: NDArray[np.uint64],
) -> int:  # fmt: skip
    """What of a phone's last list may be listed again, with its age now; how many."""
    since, limit = F32(since_ms), F32(stale_limit_ms)
    for k in range(n):
        reading = listed[phone, k]
        age_ms = F32(U32(reading).view(np.float32) + since)
        is_kept = is_within(draw32(key, U32(reading >> _ID)) >> U32(16), stale_ratio) & (age_ms <= limit)
        aged[k] = (reading >> _RSSI << _RSSI) | U64(age_ms.view(np.uint32)) | (U64(not is_kept) << _DROPPED_AT)
    to = U64(0)
    for k in range(n):
        old[to] = aged[k]
        to = U64(to + (U64(~aged[k] >> _DROPPED_AT) & U64(1)))
    return int(np.int64(to))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _merge(
    n_fresh: int, fresh: NDArray[np.uint64], n_old: int, old: NDArray[np.uint64], now: NDArray[np.uint64]
) -> int:
    """Both lists as one by id, of an id in both the fresh reading, as many as a list holds; how many.

    From both ends at once: a step waits for the one before it, so that two ways take half as long as one.
    """
    f, o, n = U64(0), U64(0), U64(0)
    f_end, o_end, top = U64(n_fresh), U64(n_old), U64(len(now))
    while f_end > U64(f + U64(1)) and o_end > U64(o + U64(1)):
        new, was = fresh[f], old[o]
        is_new, is_old = (new >> _ID) <= (was >> _ID), (was >> _ID) <= (new >> _ID)
        now[n] = new if is_new else was
        f, o, n = U64(f + U64(is_new)), U64(o + U64(is_old)), U64(n + U64(1))
        new, was = fresh[U64(f_end - U64(1))], old[U64(o_end - U64(1))]
        is_new, is_old = (new >> _ID) >= (was >> _ID), (was >> _ID) >= (new >> _ID)
        top = U64(top - U64(1))
        now[top] = new if is_new else was
        f_end, o_end = U64(f_end - U64(is_new)), U64(o_end - U64(is_old))
    fresh[f_end], old[o_end] = _LAST, _LAST
    while U64(f + o) < U64(f_end + o_end):
        new, was = fresh[f], old[o]
        is_new, is_old = (new >> _ID) <= (was >> _ID), (was >> _ID) <= (new >> _ID)
        now[n] = new if is_new else was
        f, o, n = U64(f + U64(is_new)), U64(o + U64(is_old)), U64(n + U64(1))
    for k in range(U64(U64(len(now)) - top)):
        now[U64(n + U64(k))] = now[U64(top + U64(k))]
    n = U64(n + U64(U64(len(now)) - top))
    return min(int(np.int64(n)), MEMORY_SIZE)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _write_values(
    n: int, now: NDArray[np.uint64], to: int, rssi_dbm: NDArray[np.int16], age_ms: NDArray[np.float32]
) -> None:
    for k in range(n):
        rssi_dbm[U64(to + k)] = np.int16(-I32(U32(now[k] >> _RSSI) & U32(0x7F)))
        age_ms[U64(to + k)] = U32(now[k]).view(np.float32)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _write_ids(
    n: int, now: NDArray[np.uint64], to: int, transmitter_of: NDArray[np.int32], transmitter: NDArray[np.int32]
) -> None:
    for k in range(n):
        transmitter[U64(to + k)] = transmitter_of[now[k] >> _ID]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def hear_scans(
    seed: np.uint64, scans: Scans, places: Places, effects: Effects, phones: Phones, lists: Lists, begin: int, to: int
) -> int:
    """Hear one scan after the other from ``begin`` on, and list the readings from ``to`` on.

    A radio's power in the scan is its mean, slow fading that a phone keeps for a while (of each radio, and of all by
    how it is carried), fast fading, the hand and the body of the holder, read through the receiver; some radios are
    silent for a phone's whole walk, others near the edge of what the phone reads are missed, ids are missed one by one,
    and each reading has noise of its own. Slow fading between two knots ``slow_ms`` apart
    turns from the one's draw to the other's, at a constant deviation. Then those that the phone's last list had and
    this scan missed are listed again, each with ``stale_ratio``, at their old power and with their age.

    Returns:
        The first scan not heard: fewer than MEMORY_SIZE places are left in ``lists``, or its list is longer than a row
        of ``phones.listed``. Nothing of that scan is changed.
    """
    numbers, place, phone_of, scan_at_ms, facings_rad = scans
    indptr, row, mean_dbm, first_id, is_beacon, soft_db, transmitter_of, most = places
    walk_seeds, receiver, only_beacons, n_listed, listed_at_ms, listed = phones
    lists_indptr, transmitter, rssi_dbm, age_ms = lists
    level_dbm, fresh_age_ms = np.empty(most, dtype=np.float32), np.empty(most, dtype=np.float32)
    word, kept = np.empty(most, dtype=np.uint32), np.empty(most, dtype=np.uint32)
    fresh_bits = np.empty(most, dtype=np.uint32)
    fresh = np.empty(len(transmitter_of) + 2, dtype=np.uint64)
    aged, old = np.empty(listed.shape[1], dtype=np.uint64), np.empty(listed.shape[1] + 1, dtype=np.uint64)
    now = np.empty(len(fresh) + len(old), dtype=np.uint64)
    for i in range(begin, len(place)):
        if to + MEMORY_SIZE > len(transmitter):
            return i
        phone, at_ms = phone_of[i], scan_at_ms[i]
        at, n_entries = 2 * indptr[place[i]], indptr[place[i] + 1] - indptr[place[i]]
        key = mix64(seed ^ (U64(numbers[i]) * STEP))
        bits = mix64(key)
        ids_key = mix64(bits)
        knot, from_share, to_share = _knot(effects, at_ms)
        shared_db = _shared_db(effects, bits, walk_seeds[phone], knot, from_share, to_share)
        facing_rad = F32(facings_rad[i])
        if math.isnan(facing_rad):
            facing_rad = F32(U32(bits >> U64(32))) * F32(2.0 * math.pi / 4_294_967_296.0)

        if effects.slow_sd_db > 0.0 or effects.walk_miss_ratio > 0.0:
            _fade_slowly(
                at, n_entries, row, mean_dbm, walk_seeds[phone], knot,
                effects.slow_sd_db * from_share, effects.slow_sd_db * to_share, effects.walk_miss_ratio, level_dbm,
            )  # fmt: skip
        else:
            for k in range(n_entries):
                level_dbm[k] = mean_dbm[U64(at + k)]
        if only_beacons[phone]:
            _silence_wifi(at, n_entries, row, is_beacon, level_dbm)

        offset_db, gain, sensitivity_dbm = receiver[phone, 0], receiver[phone, 1], receiver[phone, 2]
        pivot_dbm = effects.gain_pivot_dbm
        _receive(
            at, n_entries, row, level_dbm, key, effects.fading_sd_db,
            effects.body_db * math.cos(facing_rad), effects.body_db * math.sin(facing_rad), effects.radio_miss_ratio,
            (sensitivity_dbm - offset_db - pivot_dbm) / gain + pivot_dbm - shared_db,
            gain, pivot_dbm + gain * (shared_db - pivot_dbm) + offset_db, word,
        )  # fmt: skip
        n_kept = _pack(n_entries, word, kept)
        if effects.edge_miss_ratio > 0.0:
            _soften_edge(
                n_kept, kept, mix64(ids_key), effects.edge_miss_ratio, soft_db, sensitivity_dbm, word
            )  # fmt: skip
            n_kept = _pack(n_kept, word, kept)
        _draw_ages(n_kept, kept, ids_key, effects.mean_age_ms, fresh_bits, fresh_age_ms)
        n_fresh = _list_ids(n_kept, kept, fresh_bits, fresh_age_ms, ~ids_key, effects.miss_ratio, first_id, fresh)
        if effects.frame_sd_db > 0.0:
            _blur(n_fresh, fresh, mix64(~ids_key), effects.frame_sd_db)
        n_old = _keep_old(
            phone, n_listed[phone], listed, at_ms - listed_at_ms[phone], key + ids_key,
            effects.stale_ratio, effects.stale_limit_ms, aged, old,
        )  # fmt: skip
        n = _merge(n_fresh, fresh, n_old, old, now)
        if n > listed.shape[1]:
            return i
        for k in range(n):
            listed[phone, k] = now[k]
        n_listed[phone], listed_at_ms[phone] = n, at_ms
        _write_values(n, now, to, rssi_dbm, age_ms)
        _write_ids(n, now, to, transmitter_of, transmitter)
        to += n
        lists_indptr[i + 1] = lists_indptr[i] + n
    return len(place)
