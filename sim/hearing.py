"""The compiled loop that hears: which ids a phone lists at a place, how strong, how old."""

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from sim.draws import draw32, exponential16, mix64, normal16

U32, U64, I32, F32 = np.uint32, np.uint64, np.int32, np.float32
MEMORY_SIZE = 768
_STEP = U64(0xD1B54A32D192ED03)
_ID, _RSSI = U64(40), U64(32)
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


@numba.njit(cache=True, nogil=True)
def index_cells(mean_dbm, place_xy_m, radio_xy_m, radius_m):
    n_places, n_radios = mean_dbm.shape
    indptr = np.zeros(n_places + 1, dtype=np.int64)
    for place in range(n_places):
        n = 0
        for r in range(n_radios):
            n += not math.isnan(mean_dbm[place, r])
        indptr[place + 1] = indptr[place] + n
    entry = np.empty(indptr[-1], dtype=np.uint32)
    mean = np.empty(indptr[-1], dtype=np.float32)
    for place in range(n_places):
        at = indptr[place]
        for r in range(n_radios):
            if not math.isnan(mean_dbm[place, r]):
                dx, dy = radio_xy_m[r, 0] - place_xy_m[place, 0], radio_xy_m[r, 1] - place_xy_m[place, 1]
                scale = 127.0 / math.sqrt(dx * dx + dy * dy + radius_m * radius_m)
                east, north = np.int64(np.rint(dx * scale)), np.int64(np.rint(dy * scale))
                entry[at] = r | (east & 0xFF) << 16 | (north & 0xFF) << 24
                mean[at] = mean_dbm[place, r]
                at += 1
    return indptr, entry, mean


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _add_slow(entry, mean, walk_seed, knot, from_db, to_db, walk_miss_ratio, out):
    miss = U32(walk_miss_ratio * 65_536.0)
    own = mix64(walk_seed)
    first, then = mix64(own + U64(knot) * _STEP), mix64(own + U64(knot + 1) * _STEP)
    a, b = F32(from_db), F32(to_db)
    for k in range(len(mean)):
        radio = U32(entry[k] & U32(0xFFFF))
        slow_db = F32(a * normal16(draw32(first, radio)) + b * normal16(draw32(then, radio)))
        out[k] = F32(mean[k] + slow_db) if U32(draw32(own, radio) >> U32(16)) >= miss else F32(-np.inf)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _receive(entry, mean, key, fading_sd_db, ahead_east_db, ahead_north_db, miss_ratio, out):
    sd, east, north = F32(fading_sd_db), F32(ahead_east_db / 127.0), F32(ahead_north_db / 127.0)
    miss = U32(miss_ratio * 65_536.0)
    for k in range(len(mean)):
        word = entry[k]
        bits = draw32(key, U32(word & U32(0xFFFF)))
        toward_east = F32(I32(I32(U32(word << U32(8))) >> I32(24)))
        toward_north = F32(I32(I32(word) >> I32(24)))
        ahead_db = F32(toward_east * east + toward_north * north)
        power = F32(mean[k] + sd * normal16(bits) + (ahead_db if ahead_db < F32(0.0) else F32(0.0)))
        out[k] = power if U32(bits >> U32(16)) >= miss else F32(-np.inf)


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _keep(entry, power, needed, kept_radio, kept_power):
    n = 0
    for k in range(len(power)):
        kept_radio[n] = entry[k] & U32(0xFFFF)
        kept_power[n] = power[k]
        n += power[k] >= needed
    return n


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _list_fresh(n, radio, power, key, gain, shift, mean_age, longest, miss_ratio, first_id, rssi, age, fresh):
    miss = U32(miss_ratio * 65_536.0)
    g, s, mean, most = F32(gain), F32(shift), F32(mean_age), F32(longest)
    for j in range(n):
        read = F32(np.rint(F32(g * power[j] + s)))
        read = read if read > F32(-110.0) else F32(-110.0)
        read = read if read < F32(-10.0) else F32(-10.0)
        rssi[j] = I32(read) + I32(128)
    for j in range(n):
        ms = F32(mean * exponential16(draw32(key, radio[j])))
        age[j] = ms if ms < most else most
    m = 0
    ids = ~key
    for j in range(n):
        first, end = U32(first_id[radio[j]]), U32(first_id[radio[j] + U32(1)])
        low = U64(U64(rssi[j]) << _RSSI | U64(F32(age[j]).view(np.uint32)))
        for one in range(first, end):
            fresh[m] = U64(one) << _ID | low
            m += (draw32(ids, U32(one)) >> U32(16)) >= miss
    return m


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)
def _keep_old(n, listed, since_ms, key, ratio, limit_ms, old):
    stale = U32(ratio * 65_536.0)
    since, limit = F32(since_ms), F32(limit_ms)
    m = 0
    for k in range(n):
        word = listed[k]
        age = F32(U32(word).view(np.float32) + since)
        old[m] = (word >> _RSSI << _RSSI) | U64(age.view(np.uint32))
        m += ((draw32(key, U32(word >> _ID)) >> U32(16)) < stale) & (age <= limit)
    return m


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _merge(n_fresh, fresh, n_old, old, out):
    fresh[n_fresh] = U64(0xFFFFFFFFFFFFFFFF)
    old[n_old] = U64(0xFFFFFFFFFFFFFFFF)
    f, s, n = 0, 0, 0
    a, b = fresh[0], old[0]
    while n < MEMORY_SIZE and f + s < n_fresh + n_old:
        ka, kb = a >> _ID, b >> _ID
        out[n] = a if ka <= kb else b
        f += ka <= kb
        s += kb <= ka
        a, b = fresh[f], old[s]
        n += 1
    return n


@numba.njit(cache=True, nogil=True, error_model="numpy")
def hear_scans(seed, scans, places, model, phones, out, begin) -> int:
    most = 0
    for i in range(len(places.indptr) - 1):
        most = max(most, places.indptr[i + 1] - places.indptr[i])
    n_ids = len(places.transmitter)
    level = np.empty(most, dtype=np.float32)
    power = np.empty(most, dtype=np.float32)
    kept_radio = np.empty(most + 1, dtype=np.uint32)
    kept_power = np.empty(most + 1, dtype=np.float32)
    kept_rssi = np.empty(most + 1, dtype=np.int32)
    kept_age = np.empty(most + 1, dtype=np.float32)
    fresh = np.empty(n_ids + 1, dtype=np.uint64)
    old = np.empty(MEMORY_SIZE + 1, dtype=np.uint64)
    has_slow = model.slow_sd_db > 0.0 or model.walk_miss_ratio > 0.0
    to = 0
    for i in range(begin, len(scans.place)):
        if to + MEMORY_SIZE > len(out.transmitter):
            return i
        phone, at_ms = scans.phone[i], scans.at_ms[i]
        key = mix64(seed ^ (U64(scans.number[i]) * _STEP))
        bits = mix64(key)
        hand_db = model.hand_sd_db * normal16(U32(bits))
        facing = scans.facing_rad[i]
        if math.isnan(facing):
            facing = float(bits >> U64(32)) * (2.0 * math.pi / 4_294_967_296.0)
        first, last = places.indptr[scans.place[i]], places.indptr[scans.place[i] + 1]
        entry, mean = places.entry[first:last], places.mean[first:last]
        if has_slow or model.carry_sd_db > 0.0:
            knot = int(at_ms // model.slow_ms)
            turned = (at_ms / model.slow_ms - knot) * (math.pi / 2.0)
            slow_from, slow_to = math.cos(turned), math.sin(turned)
            walk = ~phones.walk_seed[phone]
            a = normal16(U32(mix64(walk + U64(knot) * _STEP)))
            b = normal16(U32(mix64(walk + U64(knot + 1) * _STEP)))
            hand_db += model.carry_sd_db * (slow_from * a + slow_to * b)
            if has_slow:
                sd = model.slow_sd_db
                _add_slow(entry, mean, phones.walk_seed[phone], knot, sd * slow_from, sd * slow_to, model.walk_miss_ratio, level)
                mean = level[: last - first]
        if phones.only_beacons[phone]:
            for k in range(last - first):
                level[k] = mean[k] if places.is_beacon[entry[k] & U32(0xFFFF)] else F32(-np.inf)
            mean = level[: last - first]
        offset_db, gain, sensitivity_dbm = phones.receiver[phone, 0], phones.receiver[phone, 1], phones.receiver[phone, 2]
        pivot = model.gain_pivot_dbm
        needed = (sensitivity_dbm - offset_db - pivot) / gain + pivot - hand_db
        shift = pivot + gain * (hand_db - pivot) + offset_db
        _receive(
            entry, mean, key, model.fading_sd_db, model.body_db * math.cos(facing), model.body_db * math.sin(facing),
            model.radio_miss_ratio, power,
        )
        n = _keep(entry, power[: last - first], F32(needed), kept_radio, kept_power)
        ids_key = mix64(bits)
        n_fresh = _list_fresh(
            n, kept_radio, kept_power, ids_key, gain, shift, model.mean_age_ms, model.longest_age_ms,
            model.miss_ratio, places.first_id, kept_rssi, kept_age, fresh,
        )
        n_old = 0
        since_ms = at_ms - phones.listed_at_ms[phone]
        listed = phones.listed[phone]
        if phones.n_listed[phone] > 0:
            n_old = _keep_old(phones.n_listed[phone], listed, since_ms, key + ids_key, model.stale_ratio, model.stale_limit_ms, old)
        n = _merge(n_fresh, fresh, n_old, old, listed)
        phones.n_listed[phone] = n
        phones.listed_at_ms[phone] = at_ms
        for k in range(n):
            word = listed[k]
            out.rssi_dbm[to + k] = np.int16(I32(U32(word >> _RSSI) & U32(0xFF)) - I32(128))
            out.age_ms[to + k] = U32(word).view(np.float32)
        for k in range(n):
            out.transmitter[to + k] = places.transmitter[listed[k] >> _ID]
        to += n
        out.indptr[i + 1] = out.indptr[i] + n
    return len(scans.place)
