"""The nearest survey scans by Sørensen distance, through an inverted index.

With a = weighed readings of the scan, r = those of a survey scan (``representation.py``):
d = 1 - 2 sum_b min(a_b, r_b) / (sum a + sum r), in [0, 1]; transmitters that only one of the two hears count in the
sums alone, so nothing is filled in. A survey scan of an earlier epoch knows nothing of transmitters born later: they
are left out of the scan's sum (``epochs.py``).
"""

from typing import NamedTuple

import numpy as np

from kernel.compiled import compiled, compiled_in_place, fused, fused_inlined, inlined
from positioning.kernels.weigh import N_WEIGHTS, Weighed
from positioning.radio_map import F32, I32, I64, U8, U16, U64

BLOCK = 64
"""Survey scans whose weights of one transmitter stand side by side: two vectors of bytes."""
MOST_STEPS = (1 << 15) - 1
"""The survey's greatest weight, in fifteen bits. A scan's own may be greater: the lesser counts."""
_TOP_BITS = np.uint64(0x8000_8000_8000_8000)
_EVEN = np.uint64(0x0000_FFFF_0000_FFFF)
_LOW = np.uint64(0xFFFF_FFFF)
_GROUPS_PER_KEPT = 2
"""Groups of survey scans whose best scores bound what can be kept, for each place, at least. With two, half the groups
hold a scan above the bound, 0.69 each if scores were in random order: hardly more than are kept."""
_ROUGHLY = 1 << 15
"""The bound may be lower than the n-th greatest by these bits, 0.4 %: so many fewer halvings."""
_AT_ONCE = 32
"""A search looks at so many numbers in one step; what is left over would be looked at one by one."""
_LEAST_BYTE, _MOST_BYTE = np.float32(1.0), np.float32(255.0)
"""A transmitter that both hear counts, however faint."""


class SurveyArrays(NamedTuple):
    """A survey as weights, by transmitter and by scan.

    Args:
        block_indptr, block, block_weight: transmitter -> blocks of 64 survey scans that hear it, as CSR: the block's
            number, and (n_entries, 64) first weights in steps of 1 / ``per_step``, 0 where not heard.
        epoch_of_block, shift: each epoch begins a block, so scan s of epoch e has slot s + ``shift[e]``.
        slot_total: (n_blocks * 64,) the sum of each scan's first weights, infinite in slots without one.
        indptr, transmitter, packed, total: the scans as CSR, heaviest readings first; the four weights of each as one
            number (``pack``), in steps of ``step``, and their sums (n_map, 4).
    """

    block_indptr: I64
    block: I32
    block_weight: U8
    per_step: np.float32
    epoch_of_block: I32
    shift: I64
    slot_total: F32
    indptr: I64
    transmitter: U16
    packed: U64
    step: np.float32
    total: F32


class _Room(NamedTuple):
    """What the search writes to and forgets.

    Args:
        overlap: (n_blocks, 64) in steps, zero between two scans, as ``is_touched`` is.
        touched, top: of each block that the scan touches: its number, and the greatest of its scores.
        score, bits: theirs, (n_blocks, 64), and the same memory as whole numbers, which order as they do where none
            is negative: those are compared several at once, floats, for NaN's sake, are not.
        highest: the groups' greatest scores; a group has one slot of every so-manieth block.
        passed, passed_bits: places and scores that may be kept, and room for ``_AT_ONCE`` more.
        heard: (n_transmitters,) the scan's weights, packed, 0 between two scans.
    """

    overlap: U16
    is_touched: U8
    touched: I32
    top: I32
    score: F32
    bits: I32
    highest: I32
    passed: I32
    passed_bits: I32
    kept: I32
    heard: U64
    shared: F32


@fused
def find_neighbours(
    asked: Weighed,
    q_total: F32,
    q_walk: I32,
    survey: SurveyArrays,
    m_walk: I32,
    cover: float,
    out_index: I32,
    out_distance: F32,
) -> None:
    """Fill each query's nearest survey scans in every representation's Sørensen distance.

    Two steps. The heaviest readings that make up ``cover`` of the scan's weight in the first representation are
    matched against all survey scans, block by block, weights in bytes; the best ``n_short`` are then measured with
    every reading in every representation.

    Scans and transmitters are indexed as unsigned numbers: a signed index is first checked for counting from the end,
    which took two fifths of the time.

    Args:
        asked: the scans.
        q_total: (n, n_epochs, 4) their weights as each epoch counts them (``total_by_epoch``).
        q_walk: (n,) forbids survey scans of that walk, -1 forbids none.
        m_walk: (n_map,) the survey scans' walks.
        out_index: (n, n_short), filled in the order of survey scans' indices; -1 fills what is left.
        out_distance: (n, n_short, n_representations); 1 fills what is left.
    """
    n_blocks = len(survey.epoch_of_block)
    n_short = out_index.shape[1]
    score = np.empty((n_blocks, BLOCK), dtype=np.float32)
    room = _Room(
        np.zeros((n_blocks, BLOCK), dtype=np.uint16),
        np.zeros(n_blocks, dtype=np.uint8),
        np.empty(n_blocks, dtype=np.int32),
        np.empty(n_blocks, dtype=np.int32),
        score,
        score.view(np.int32),
        np.empty((_GROUPS_PER_KEPT * n_short + BLOCK - 1) // BLOCK * BLOCK, dtype=np.int32),
        np.empty(n_blocks * BLOCK + _AT_ONCE, dtype=np.int32),
        np.empty(n_blocks * BLOCK + _AT_ONCE, dtype=np.int32),
        np.empty(n_short, dtype=np.int32),
        np.zeros(len(survey.block_indptr) - 1, dtype=np.uint64),
        np.zeros(N_WEIGHTS, dtype=np.float32),
    )
    heard = room.heard
    for i in range(len(out_index)):
        _overlap(asked, i, survey, np.float32(cover) * q_total[i, len(survey.shift) - 1, 0], room)
        n_touched = _score(q_total[i], q_walk[i], survey, m_walk, room)
        size = _keep_best(room, n_touched)
        start, stop = asked.indptr[i], asked.indptr[i + 1]
        for j in range(start, stop):
            heard[np.uint64(asked.transmitter[j])] = pack(asked.weight[j], survey.step)
        for c in range(size):
            b = room.touched[room.kept[c] // BLOCK]
            epoch = survey.epoch_of_block[b]
            s = b * BLOCK + room.kept[c] % BLOCK - survey.shift[epoch]
            out_index[i, c] = s
            first, end = survey.indptr[s], survey.indptr[s + 1]
            _measure(heard, survey.transmitter[first:end], survey.packed[first:end], room.shared)
            for r in range(out_distance.shape[2]):
                both = q_total[i, epoch, r] + survey.total[s, r]
                out_distance[i, c, r] = np.float32(1.0) - np.float32(2.0) * survey.step * room.shared[r] / both
        out_index[i, size:] = -1
        out_distance[i, size:, :] = np.float32(1.0)
        for j in range(start, stop):
            heard[np.uint64(asked.transmitter[j])] = np.uint64(0)


@fused_inlined
def _overlap(asked: Weighed, i: int, survey: SurveyArrays, wanted: np.float32, room: _Room) -> None:
    """Add up what a scan's heaviest readings share with each survey scan, until they weigh what is wanted."""
    used = np.float32(0.0)
    for j in range(asked.indptr[i], asked.indptr[i + 1]):
        if used >= wanted:
            break
        used += asked.weight[j, 0]
        steps = min(max(asked.weight[j, 0] * survey.per_step + np.float32(0.5), _LEAST_BYTE), _MOST_BYTE)
        weight = np.uint8(steps)
        t = np.uint64(asked.transmitter[j])
        for at in range(survey.block_indptr[t], survey.block_indptr[t + np.uint64(1)]):
            to = np.uint64(survey.block[at])
            room.is_touched[to] = 1
            row, sums = survey.block_weight[np.uint64(at)], room.overlap[to]
            for s in range(BLOCK):
                sums[s] += row[s] if row[s] < weight else weight


@fused_inlined
def _score(total: F32, walk: int, survey: SurveyArrays, m_walk: I32, room: _Room) -> int:
    """Score the touched blocks, one after another, and leave none touched; how many they are.

    ``total`` (n_epochs, 4) of the scan; survey scans of ``walk`` score 0.
    """
    n_groups = len(room.highest)
    room.highest[:] = 0
    group = 0
    n_touched = 0
    for b in range(len(survey.epoch_of_block)):
        if room.is_touched[b] == 0:
            continue
        room.is_touched[b] = 0
        of_epoch = survey.per_step * total[survey.epoch_of_block[b], 0]
        sums, totals = room.overlap[b], survey.slot_total[b * BLOCK : (b + 1) * BLOCK]
        scores = room.score[n_touched]
        for s in range(BLOCK):
            scores[s] = np.float32(sums[s]) / (of_epoch + survey.per_step * totals[s])
            sums[s] = 0
        if walk >= 0:
            _forbid(walk, m_walk, survey, b, scores)
        bits, highest = room.bits[n_touched], room.highest[group : group + BLOCK]
        top = np.int32(0)
        for s in range(BLOCK):
            highest[s] = bits[s] if bits[s] > highest[s] else highest[s]
            top = bits[s] if bits[s] > top else top
        room.touched[n_touched] = b
        room.top[n_touched] = top
        n_touched += 1
        group = group + BLOCK if group + BLOCK < n_groups else 0
    return n_touched


@inlined
def pack(weight: F32, step: np.float32) -> np.uint64:
    """Four weights in one number, fifteen bits each."""
    packed = np.uint64(0)
    for r in range(N_WEIGHTS):
        steps = np.uint64(min(weight[r] / step + np.float32(0.5), np.float32(MOST_STEPS)))
        packed |= steps << np.uint64(16 * r)
    return packed


@compiled
def pack_all(weight: F32, step: np.float32) -> U64:
    """(n, 4) weights as (n,) numbers."""
    out = np.empty(len(weight), dtype=np.uint64)
    for i in range(len(weight)):
        out[i] = pack(weight[i], step)
    return out


@inlined
def _measure(heard: U64, transmitter: U16, packed: U64, out: F32) -> None:
    """Sum the smaller of both weights in each column, the four of them at once in one number.

    The sixteenth bit tells, after a subtraction, which of two columns is the greater; every other column is then added
    up in 32 bits, which four billion steps would fill.
    """
    even, odd = np.uint64(0), np.uint64(0)
    for at in range(len(transmitter)):
        mine, its = heard[np.uint64(transmitter[at])], packed[at]
        greater = ((mine | _TOP_BITS) - its) & _TOP_BITS
        greater |= greater - (greater >> np.uint64(15))
        lesser = mine ^ ((mine ^ its) & greater)
        even += lesser & _EVEN
        odd += (lesser >> np.uint64(16)) & _EVEN
    out[0] = np.float32(even & _LOW)
    out[1] = np.float32(odd & _LOW)
    out[2] = np.float32(even >> np.uint64(32))
    out[3] = np.float32(odd >> np.uint64(32))


@compiled_in_place
def total_by_epoch(asked: Weighed, born: I32, out: F32) -> None:
    """(n, n_epochs, 4): each scan's total weight without what was born after each epoch (``epochs.py``)."""
    n_epochs = out.shape[1]
    for i in range(len(out)):
        for epoch in range(n_epochs):
            for r in range(N_WEIGHTS):
                out[i, epoch, r] = asked.total[i, r]
        if n_epochs == 1:
            continue
        for j in range(asked.indptr[i], asked.indptr[i + 1]):
            for epoch in range(born[asked.transmitter[j]]):
                for r in range(N_WEIGHTS):
                    out[i, epoch, r] -= asked.weight[j, r]
        for epoch in range(n_epochs):
            for r in range(N_WEIGHTS):
                out[i, epoch, r] = max(out[i, epoch, r], np.float32(0.0))


@inlined
def _forbid(walk: int, m_walk: I32, survey: SurveyArrays, block: int, score: F32) -> None:
    """Take the scans of a walk out of a block's scores."""
    first = block * BLOCK
    shift = survey.shift[survey.epoch_of_block[block]]
    for s in range(BLOCK):
        if survey.slot_total[first + s] < np.inf and m_walk[first + s - shift] == walk:
            score[s] = np.float32(0.0)


@inlined
def _keep_best(room: _Room, n_touched: int) -> int:
    """Keep the places of the greatest scores, in order; how many there are above 0. Of equals the first are kept.

    About the n-th greatest of the groups' greatest bounds what can be kept, so that few scans need be looked at more
    closely, in few blocks.
    """
    passed, passed_bits, kept = room.passed, room.passed_bits, room.kept
    least = _nth_greatest(room.highest, len(kept), np.int32(1), _ROUGHLY)
    n_passed = 0
    for place in range(n_touched):
        if room.top[place] < least:
            continue
        bits = room.bits[place]
        for s in range(BLOCK):  # without a branch: whether one passed cannot be foretold
            passed[n_passed] = place * BLOCK + s
            passed_bits[n_passed] = bits[s]
            n_passed += bits[s] >= least
    rounded = (n_passed + _AT_ONCE - 1) // _AT_ONCE * _AT_ONCE
    passed_bits[n_passed:rounded] = 0
    worst = _nth_greatest(passed_bits[:rounded], len(kept), least, 0)
    n_above = 0
    for at in range(n_passed):
        n_above += passed_bits[at] > worst
    n_equal = len(kept) - n_above
    size = 0
    for at in range(n_passed):
        if passed_bits[at] > worst or (passed_bits[at] == worst and n_equal > 0):
            n_equal -= passed_bits[at] == worst
            kept[size] = passed[at]
            size += 1
    return size


@inlined
def _nth_greatest(values: I32, n: int, low: np.int32, within: int) -> np.int32:
    """The greatest number that at least n of the values reach, or up to ``within`` less; ``low`` where fewer reach it.

    By halving: every count is a pass of vectors, and there are 31 bits.
    """
    high = low
    for at in range(len(values)):
        high = max(high, values[at])
    while high - low > within:
        middle = low + (high - low + np.int32(1)) // np.int32(2)
        count = np.int32(0)
        for at in range(len(values)):
            count = np.int32(count + np.int32(values[at] >= middle))
        if count >= n:
            low = np.int32(middle)
        else:
            high = np.int32(middle - 1)
    return low
