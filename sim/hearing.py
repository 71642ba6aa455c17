"""The compiled loop that hears: which ids a phone lists at a place, how strong, how old."""

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from sim.pf import prefetch
from sim.draws import draw32, exponential16, mix64, normal32, other32

U32, U64, I32, F32 = np.uint32, np.uint64, np.int32, np.float32
MEMORY_SIZE = 768
_STEP = U64(0xD1B54A32D192ED03)
_ID, _RSSI = U64(40), U64(32)
_DROP = U64(1 << 39)
_FASTMATH = {"contract", "nsz"}


class Places(NamedTuple):
    indptr: NDArray[np.int64]
    entry: NDArray[np.uint32]
    mean: NDArray[np.float32]
    first_id: NDArray[np.int32]
    is_beacon: NDArray[np.bool_]
    transmitter: NDArray[np.int32]


class Model(NamedTuple):
    fading_sd_db: float
    slow_sd_db: float
    slow_ms: float
    carry_sd_db: float
    walk_miss_ratio: float
    hand_sd_db: float
    body_db: float
    gain_pivot_dbm: float
    radio_miss_ratio: float
    miss_ratio: float
    mean_age_ms: float
    longest_age_ms: float
    stale_ratio: float
    stale_limit_ms: float


class Scans(NamedTuple):
    number: NDArray[np.int64]
    place: NDArray[np.int64]
    phone: NDArray[np.int64]
    at_ms: NDArray[np.int64]
    facing_rad: NDArray[np.float64]


class Phones(NamedTuple):
    walk_seed: NDArray[np.uint64]
    receiver: NDArray[np.float64]
    only_beacons: NDArray[np.bool_]
    n_listed: NDArray[np.int64]
    listed_at_ms: NDArray[np.int64]
    listed: NDArray[np.uint64]


class Out(NamedTuple):
    indptr: NDArray[np.int64]
    transmitter: NDArray[np.int32]
    rssi_dbm: NDArray[np.int16]
    age_ms: NDArray[np.float32]


def index_cells(mean_dbm, place_xy_m, radio_xy_m, radius_m):
    indptr = np.concatenate([[0], np.cumsum((~np.isnan(mean_dbm)).sum(axis=1))])
    entry, mean = np.empty(indptr[-1], dtype=np.uint32), np.empty(indptr[-1], dtype=np.float32)
    _fill_cells(mean_dbm, place_xy_m, radio_xy_m, radius_m, entry, mean)
    return indptr, entry, mean


@numba.njit(cache=True, nogil=True)
def _fill_cells(mean_dbm, place_xy_m, radio_xy_m, radius_m, entry, mean):
    at = 0
    for place in range(mean_dbm.shape[0]):
        for r in range(mean_dbm.shape[1]):
            if not math.isnan(mean_dbm[place, r]):
                dx, dy = radio_xy_m[r, 0] - place_xy_m[place, 0], radio_xy_m[r, 1] - place_xy_m[place, 1]
                scale = 127.0 / math.sqrt(dx * dx + dy * dy + radius_m * radius_m)
                east, north = np.int64(np.rint(dx * scale)), np.int64(np.rint(dy * scale))
                entry[at] = r | (east & 0xFF) << 16 | (north & 0xFF) << 24
                mean[at] = mean_dbm[place, r]
                at += 1


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _add_slow(begin, n, entry, mean, walk_seed, knot, from_db, to_db, walk_miss_ratio, out):
    miss = U32(walk_miss_ratio * 4294967295.0)
    own = mix64(walk_seed)
    first, then = mix64(own + U64(knot) * _STEP), mix64(own + U64(knot + 1) * _STEP)
    a, b = F32(from_db), F32(to_db)
    for k in range(n):
        radio = U32(entry[U64(begin + k)] & U32(0xFFFF))
        slow_db = F32(a * normal32(draw32(first, radio)) + b * normal32(draw32(then, radio)))
        out[k] = F32(mean[U64(begin + k)] + slow_db) if draw32(own, radio) >= miss else F32(-np.inf)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _receive(begin, n, entry, level, key, fading_sd_db, ahead_east_db, ahead_north_db, miss_ratio, needed_dbm, gain, shift_dbm, out):
    sd, east, north = F32(fading_sd_db), F32(ahead_east_db / 127.0), F32(ahead_north_db / 127.0)
    needed, g, shift = F32(needed_dbm), F32(gain), F32(shift_dbm)
    miss = U32(miss_ratio * 4294967295.0)
    for k in range(n):
        word = entry[U64(begin + k)]
        bits = draw32(key, U32(word & U32(0xFFFF)))
        toward_east = F32(I32(I32(U32(word << U32(8))) >> I32(24)))
        toward_north = F32(I32(I32(word) >> I32(24)))
        ahead_db = F32(toward_east * east + toward_north * north)
        power = F32(level[k] + sd * normal32(bits) + (ahead_db if ahead_db < F32(0.0) else F32(0.0)))
        read = F32(np.rint(F32(g * power + shift)))
        read = read if read > F32(-110.0) else F32(-110.0)
        read = read if read < F32(-10.0) else F32(-10.0)
        listed = U32(U32(word & U32(0xFFFF)) | U32(U32(I32(F32(-read))) << U32(16)) | U32(0x80000000))
        out[k] = listed if (power >= needed) & (other32(bits) >= miss) else U32(0)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _keep(m, word, kept):
    n = U64(0)
    for k in range(m):
        kept[n] = word[k]
        n = U64(n + U64(word[k] >> U32(31)))
    return np.int64(n)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _draw_ids(n, kept, key, mean_age, longest, age, bits):
    mean, most = F32(mean_age), F32(longest)
    for j in range(n):
        drawn = draw32(key, U32(kept[j] & U32(0xFFFF)))
        bits[j] = drawn
        ms = F32(mean * exponential16(other32(drawn) >> U32(16)))
        age[j] = ms if ms < most else most


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _list_fresh(n, kept, age, bits, key, miss_ratio, first_id, fresh):
    miss = U32(miss_ratio * 65_536.0)
    m = U64(0)
    for j in range(n):
        radio = U64(kept[j] & U32(0xFFFF))
        first, end = U64(first_id[radio]), U64(first_id[U64(radio + U64(1))])
        low = U64(U64((kept[j] >> U32(16)) & U32(0x7F)) << _RSSI | U64(F32(age[j]).view(np.uint32)))
        fresh[m] = first << _ID | low
        m = U64(m + U64(U32(bits[j] & U32(0xFFFF)) >= miss))
        second = U64(first + U64(1))
        fresh[m] = second << _ID | low
        m = U64(m + U64((U32(bits[j] >> U32(16)) >= miss) & (second < end)))
        for one in range(U64(first + U64(2)), end):
            fresh[m] = U64(one) << _ID | low
            m = U64(m + U64((draw32(key, U32(one)) >> U32(16)) >= miss))
    return np.int64(m)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _keep_old(phone, n, listed, since_ms, key, ratio, limit_ms, aged, old):
    stale = U32(ratio * 4294967295.0)
    since, limit = F32(since_ms), F32(limit_ms)
    for k in range(n):
        word = listed[phone, k]
        age = F32(U32(word).view(np.float32) + since)
        drop = U64(0) if (draw32(key, U32(word >> _ID)) < stale) & (age <= limit) else _DROP
        aged[k] = (word >> _RSSI << _RSSI) | U64(age.view(np.uint32)) | drop
    m = U64(0)
    for k in range(n):
        old[m] = aged[k]
        m = U64(m + (U64(~aged[k] & _DROP) >> U64(39)))
    return np.int64(m)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _merge(n_fresh, fresh, n_old, old, out):
    end = U64(0xFFFFFFFFFFFFFFFF)
    fresh[n_fresh], old[n_old] = end, end
    total = U64(n_fresh + n_old)
    f, s, n = U64(0), U64(0), U64(0)
    while n < U64(MEMORY_SIZE) and U64(f + s) < total:
        a, b = fresh[f], old[s]
        ka, kb = a >> _ID, b >> _ID
        out[n] = a if ka <= kb else b
        f = U64(f + U64(ka <= kb))
        s = U64(s + U64(kb <= ka))
        n = U64(n + U64(1))
    return np.int64(n)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _unpack(n, to, now, transmitter_of, transmitter, rssi_dbm, age_ms):
    for k in range(n):
        rssi_dbm[U64(to + k)] = np.int16(-I32(U32(now[k] >> _RSSI) & U32(0x7F)))
    for k in range(n):
        age_ms[U64(to + k)] = U32(now[k]).view(np.float32)
    for k in range(n):
        transmitter[U64(to + k)] = transmitter_of[now[k] >> _ID]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def hear_scans(seed, scans, places, model, phones, out, begin, to) -> int:
    most = 0
    for i in range(len(places.indptr) - 1):
        most = max(most, places.indptr[i + 1] - places.indptr[i])
    indptr, entry, mean, first_id, is_beacon, transmitter_of = places
    number, place, phone_of, scan_at_ms, facing_rad = scans
    walk_seed, receiver, only_beacons, n_listed, listed_at_ms, listed = phones
    out_indptr, transmitter, rssi_dbm, age_ms = out
    n_ids = len(transmitter_of)
    level = np.empty(most, dtype=np.float32)
    word = np.empty(most, dtype=np.uint32)
    kept = np.empty(most + 1, dtype=np.uint32)
    kept_age = np.empty(most + 1, dtype=np.float32)
    kept_bits = np.empty(most + 1, dtype=np.uint32)
    fresh = np.empty(n_ids + 3, dtype=np.uint64)
    aged = np.empty(MEMORY_SIZE, dtype=np.uint64)
    old = np.empty(MEMORY_SIZE + 1, dtype=np.uint64)
    now = np.empty(MEMORY_SIZE, dtype=np.uint64)
    has_slow = model.slow_sd_db > 0.0 or model.walk_miss_ratio > 0.0
    for i in range(begin, len(number)):
        if to + MEMORY_SIZE > len(transmitter):
            return i
        phone, at_ms = phone_of[i], scan_at_ms[i]
        key = mix64(seed ^ (U64(number[i]) * _STEP))
        bits = mix64(key)
        hand_db = model.hand_sd_db * normal32(U32(bits))
        facing = facing_rad[i]
        if math.isnan(facing):
            facing = float(bits >> U64(32)) * (2.0 * math.pi / 4_294_967_296.0)
        first, last = indptr[place[i]], indptr[place[i] + 1]
        m = last - first
        if i + 1 < len(place):
            nf, nl = indptr[place[i + 1]], indptr[place[i + 1] + 1]
            for k in range(U64(nf), U64(nl), U64(16)):
                prefetch(entry, U64(k))
                prefetch(mean, U64(k))
        if has_slow or model.carry_sd_db > 0.0:
            knot = int(at_ms // model.slow_ms)
            turned = (at_ms / model.slow_ms - knot) * (math.pi / 2.0)
            slow_from, slow_to = math.cos(turned), math.sin(turned)
            walk = ~walk_seed[phone]
            a = normal32(U32(mix64(walk + U64(knot) * _STEP)))
            b = normal32(U32(mix64(walk + U64(knot + 1) * _STEP)))
            hand_db += model.carry_sd_db * (slow_from * a + slow_to * b)
            if has_slow:
                sd = model.slow_sd_db
                _add_slow(first, m, entry, mean, walk_seed[phone], knot, sd * slow_from, sd * slow_to, model.walk_miss_ratio, level)
        if not has_slow:
            for k in range(m):
                level[k] = mean[U64(first + k)]
        if only_beacons[phone]:
            for k in range(m):
                level[k] = level[k] if is_beacon[U64(entry[U64(first + k)] & U32(0xFFFF))] else F32(-np.inf)
        offset_db, gain, sensitivity_dbm = receiver[phone, 0], receiver[phone, 1], receiver[phone, 2]
        pivot = model.gain_pivot_dbm
        needed = (sensitivity_dbm - offset_db - pivot) / gain + pivot - hand_db
        shift = pivot + gain * (hand_db - pivot) + offset_db
        _receive(
            first, m, entry, level, key, model.fading_sd_db, model.body_db * math.cos(facing), model.body_db * math.sin(facing),
            model.radio_miss_ratio, needed, gain, shift, word,
        )
        n = _keep(m, word, kept)
        ids_key = mix64(bits)
        _draw_ids(n, kept, ids_key, model.mean_age_ms, model.longest_age_ms, kept_age, kept_bits)
        n_fresh = _list_fresh(n, kept, kept_age, kept_bits, ~ids_key, model.miss_ratio, first_id, fresh)
        n_old = 0
        since_ms = at_ms - listed_at_ms[phone]
        if n_listed[phone] > 0:
            n_old = _keep_old(phone, n_listed[phone], listed, since_ms, key + ids_key, model.stale_ratio, model.stale_limit_ms, aged, old)
        n = _merge(n_fresh, fresh, n_old, old, now)
        if n > listed.shape[1]:
            return i
        for k in range(n):
            listed[phone, k] = now[k]
        n_listed[phone] = n
        listed_at_ms[phone] = at_ms
        _unpack(n, to, now, transmitter_of, transmitter, rssi_dbm, age_ms)
        to += n
        out_indptr[i + 1] = out_indptr[i] + n
    return len(number)
