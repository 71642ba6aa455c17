"""Chance by counter: a number in [0, 1) that depends on a stream's key and on who, when and which, and on nothing else.

So each fact about a person's day can be drawn alone, in any order and on any worker, and is always the same.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_GOLDEN = 0x9E3779B97F4A7C15
_MOST_EVENTS = 1_000
"""Where the count of a Poisson draw stops: no mean here is over 100."""


def stream_key(seed: int, *parts: int) -> int:
    """The key of one stream of a seed: 64 bits, far apart for neighbouring seeds and parts."""
    return int(np.random.SeedSequence([seed, *parts]).generate_state(1, np.uint64)[0])


def uniform(key: int, *counters: ArrayLike) -> F64:
    """One number in [0, 1) for each tuple of whole counters, which are broadcast against each other.

    >>> key = stream_key(1, 2)
    >>> bool(uniform(key, [5, 6, 7], 3)[1] == uniform(key, 6, 3))
    True

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014 (the mixing of SplitMix64),
    applied once a counter.
    """
    state = np.full(1, key, dtype=np.uint64)
    for counter in counters:
        step = np.atleast_1d(np.asarray(counter, dtype=np.int64)).astype(np.uint64)
        state = _mix(state + (step + np.uint64(1)) * np.full(1, _GOLDEN, dtype=np.uint64))
    found: F64 = (state >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return found


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def poisson(chance: F64, mean: F64) -> I64:
    """Poisson counts of the given means by inversion; one number in [0, 1) makes one count."""
    mean = np.broadcast_to(mean, chance.shape)
    count = np.zeros(chance.shape, dtype=np.int64)
    at = np.flatnonzero(chance >= np.exp(-mean))
    term = np.exp(-mean[at])
    below = term.copy()
    for n in range(1, _MOST_EVENTS):
        if at.size == 0:
            break
        term = term * mean[at] / n
        below = below + term
        count[at] = n
        more = chance[at] >= below
        at, term, below = at[more], term[more], below[more]
    return count
