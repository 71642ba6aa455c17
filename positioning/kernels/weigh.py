"""Readings to weights: the formulas of ``representation.py``, and the strongest few of each scan in order."""

from typing import NamedTuple

import numpy as np

from kernel.compiled import compiled, compiled_in_place, inlined
from positioning.radio_map import F32, I32, I64

POWED, RANK, RELATIVE = 0, 1, 2
RANK_DECAY = 0.08
RELATIVE_SPAN_DB = 40.0
N_WEIGHTS = 4
"""Columns of every weight array: up to 4 representations, 0 in the unused; a fixed width becomes one vector load."""
_N_WHOLE_DBM = 128
_N_BUCKETS = 256
_BUCKET_SHIFT = 20
_HEAVIEST_BITS = (127 + 8) << 3
"""2^8 by its sign, exponent and three highest bits of mantissa: no weight is greater, and 256 buckets reach 2^-24."""


class WeighingArrays(NamedTuple):
    """``representation.Weighing`` for the kernels; ``rate_per_ms`` is one over its tau."""

    kind: I32
    exponent: F32
    floor_dbm: float
    rate_per_ms: float
    max_kept: int


class Weighed(NamedTuple):
    """Scans as weights: CSR entries, heaviest first, ``weight`` (n_entries, 4) and ``total`` (n, 4) their sums; the
    power and the freshness, e^(-age / tau), of each entry's reading."""

    indptr: I64
    transmitter: I32
    weight: F32
    total: F32
    dbm: F32
    fade: F32


@compiled
def weigh_readings(  # noqa: PLR0912, PLR0915  one pass over flat arrays
    indptr: I64, transmitter: I32, rssi_dbm: F32, age_ms: F32, weighing: WeighingArrays, out: Weighed
) -> None:
    """Weigh each scan's readings; keep the ``max_kept`` heaviest in the first representation, heaviest first.

    Entries come sorted by id, so equal weights fall alike each time. ``out`` needs room for all entries; its ``total``
    sums the kept ones.
    """
    kind, exponent = weighing.kind, weighing.exponent
    rate_per_ms, max_kept = weighing.rate_per_ms, weighing.max_kept
    rank_decay, relative_span_db = RANK_DECAY, RELATIVE_SPAN_DB
    longest = 1
    for i in range(len(indptr) - 1):
        longest = max(longest, indptr[i + 1] - indptr[i])
    first = np.empty(longest, dtype=np.float32)
    bits = first.view(np.int32)
    fade = np.empty(longest, dtype=np.float32)
    order = np.empty(longest, dtype=np.int32)
    count = np.empty(_N_BUCKETS, dtype=np.int32)
    known = np.full((N_WEIGHTS, _N_WHOLE_DBM), np.float32(-1.0), dtype=np.float32)
    of_rank = np.empty(min(longest, max_kept), dtype=np.float32)
    for place in range(len(of_rank)):
        of_rank[place] = np.exp(np.float32(-rank_decay * place))
    floor = np.float32(weighing.floor_dbm)
    at = 0
    out.indptr[0] = 0
    for i in range(len(indptr) - 1):
        start = indptr[i]
        n = indptr[i + 1] - start
        top1, top2, top3 = np.float32(-1e9), np.float32(-1e9), np.float32(-1e9)
        for j in range(n):
            x = rssi_dbm[start + j]
            age = age_ms[start + j]
            fade[j] = np.float32(1.0)
            if rate_per_ms > 0 and not np.isnan(age):
                fade[j] = np.exp(np.float32(-rate_per_ms) * age)
            first[j] = _powed(x, floor, exponent[0], known[0]) * fade[j]
            if x > top1:
                top1, top2, top3 = x, top1, top2
            elif x > top2:
                top2, top3 = x, top2
            elif x > top3:
                top3 = x
        middle = top1
        if n == 2:
            middle = (top1 + top2) / np.float32(2.0)
        elif n > 2:
            middle = (top1 + top2 + top3) / np.float32(3.0)
        n_kept = min(n, max_kept)
        _sort_heaviest(first, bits, n, n_kept, count, order)
        for place in range(n_kept):
            j = order[place]
            out.transmitter[at + place] = transmitter[start + j]
            out.dbm[at + place] = rssi_dbm[start + j]
            out.fade[at + place] = fade[j]
            out.weight[at + place, 0] = first[j]
        for r in range(1, N_WEIGHTS):
            if r >= len(kind):
                out.weight[at : at + n_kept, r] = np.float32(0.0)
            elif kind[r] == RANK:
                for place in range(n_kept):
                    out.weight[at + place, r] = of_rank[place] * out.fade[at + place]
            elif kind[r] == RELATIVE:
                for place in range(n_kept):
                    above = max(out.dbm[at + place] - middle + np.float32(relative_span_db), np.float32(0.5))
                    share = (above / np.float32(relative_span_db)) ** exponent[r]
                    out.weight[at + place, r] = share * out.fade[at + place]
            else:
                for place in range(n_kept):
                    powed = _powed(out.dbm[at + place], floor, exponent[r], known[r])
                    out.weight[at + place, r] = powed * out.fade[at + place]
        for r in range(N_WEIGHTS):
            total = np.float32(0.0)
            for place in range(n_kept):
                total += out.weight[at + place, r]
            out.total[i, r] = total
        at += n_kept
        out.indptr[i + 1] = at


@inlined
def _sort_heaviest(weight: F32, bits: I32, n: int, n_kept: int, count: I32, order: I32) -> None:
    """Put the places of the ``n_kept`` heaviest first in ``order``, heaviest first, equals as they come.

    ``bits`` is the memory of ``weight`` as whole numbers. Bucketed by the high ones, which order as the numbers do
    where none is negative; the buckets that are wanted are then sorted by insertion, for which they are nearly in
    order.
    """
    count[:] = 0
    for j in range(n):
        count[_bucket(bits[j])] += 1
    taken = 0
    last = 0
    for b in range(_N_BUCKETS):
        taken, count[b] = taken + count[b], taken
        if taken >= n_kept:
            last = b
            break
    for j in range(n):
        b = _bucket(bits[j])
        if b <= last:
            order[count[b]] = j
            count[b] += 1
    for place in range(1, taken):
        j = order[place]
        to = place
        while to > 0 and weight[order[to - 1]] < weight[j]:
            order[to] = order[to - 1]
            to -= 1
        order[to] = j


@inlined
def _bucket(bits: int) -> int:
    """0 for the heaviest; an eighth of an octave each, what is beyond the range in the first and the last."""
    return min(max(_HEAVIEST_BITS - (bits >> _BUCKET_SHIFT), 0), _N_BUCKETS - 1)


@inlined
def _powed(rssi_dbm: np.float32, floor_dbm: np.float32, exponent: np.float32, known: F32) -> np.float32:
    """Powed RSSI; the shortlist's weight is always of this kind. ``known`` keeps those of whole dBm, -1 for not yet."""
    whole = int(-rssi_dbm)
    is_whole = 0 <= whole < _N_WHOLE_DBM and np.float32(-whole) == rssi_dbm
    if is_whole and known[whole] >= 0:
        seen: np.float32 = known[whole]
        return seen
    above_db = rssi_dbm - floor_dbm
    above_db = max(above_db, np.float32(1.0))
    weight: np.float32 = (above_db / np.float32(60.0)) ** exponent
    if is_whole:
        known[whole] = weight
    return weight


@compiled_in_place
def mean_strongest(indptr: I64, rssi_dbm: F32, out_dbm: F32) -> None:
    """The mean power of each scan's three strongest readings, of all where it has fewer; -110 where it has none."""
    for i in range(len(indptr) - 1):
        top1, top2, top3 = np.float32(-1e9), np.float32(-1e9), np.float32(-1e9)
        n = indptr[i + 1] - indptr[i]
        for at in range(indptr[i], indptr[i + 1]):
            x = rssi_dbm[at]
            if x > top1:
                top1, top2, top3 = x, top1, top2
            elif x > top2:
                top2, top3 = x, top2
            elif x > top3:
                top3 = x
        if n == 0:
            out_dbm[i] = np.float32(-110.0)
        elif n == 1:
            out_dbm[i] = top1
        elif n == 2:
            out_dbm[i] = (top1 + top2) / np.float32(2.0)
        else:
            out_dbm[i] = (top1 + top2 + top3) / np.float32(3.0)
