"""Chance by counter inside compiled loops: 32 random bits at a time, so that a loop draws for eight entries at once.

Nothing here looks a number up or branches: LLVM turns a loop of these into vector instructions. ``sim/chance.py`` is
the same idea for whole arrays, with 53 bits a number.
"""

import numba
import numpy as np

U32, U64, I32, F32 = np.uint32, np.uint64, np.int32, np.float32


@numba.njit(cache=True, nogil=True, inline="always")
def mix64(z: np.uint64) -> np.uint64:
    """64 bits that look random, of any 64 bits (SplitMix64's output function; Steele, Lea and Flood, OOPSLA 2014)."""
    z = (z ^ (z >> U64(30))) * U64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> U64(27))) * U64(0x94D049BB133111EB)
    return z ^ (z >> U64(31))


@numba.njit(cache=True, nogil=True, inline="always")
def draw32(key: np.uint64, counter: np.uint32) -> np.uint32:
    """32 bits of a counter, in the stream of a key.

    The finaliser of MurmurHash3 (Appleby 2011) on the counter, with one half of the key before each multiplication.
    """
    h = U32(counter ^ U32(key))
    h = U32(U32(h ^ U32(h >> U32(16))) * U32(0x85EBCA6B))
    h = U32(h ^ U32(key >> U64(32)))
    h = U32(U32(h ^ U32(h >> U32(13))) * U32(0xC2B2AE35))
    return U32(h ^ U32(h >> U32(16)))


@numba.njit(cache=True, nogil=True, inline="always")
def other32(bits: np.uint32) -> np.uint32:
    return U32(bits * U32(0x9E3779B1))


_Z1, _Z3, _Z5 = F32(3.3416978 / 510.0), F32(0.13688764 / 510.0**3), F32(0.98369621 / 510.0**5)


@numba.njit(cache=True, nogil=True, inline="always")
def normal32(bits: np.uint32) -> np.float32:
    """A standard normal number of 32 bits: the sum of four bytes, bent to the normal quantiles by a polynomial."""
    pairs = U32(U32(bits & U32(0x00FF00FF)) + U32(U32(bits >> U32(8)) & U32(0x00FF00FF)))
    x = F32(I32(U32(U32(pairs + U32(pairs >> U32(16))) & U32(0x7FF)))) - F32(510.0)
    x2 = F32(x * x)
    return F32(x * (_Z1 + x2 * (_Z3 + x2 * _Z5)))


_L0, _L1, _L2, _L3 = F32(-2.1338243), F32(3.0107437), F32(-1.02950006), F32(0.15391477)


@numba.njit(cache=True, nogil=True, inline="always")
def exponential16(bits: np.uint32) -> np.float32:
    """An exponential number of mean 1 of the lowest 16 bits, within 0.001 of the quantile; 11.8 at most."""
    y = F32(I32(bits & U32(0xFFFF))) + F32(0.5)
    raw = F32(y).view(np.int32)
    exponent = F32(I32(raw >> I32(23))) - F32(127.0 + 16.0)
    m = I32(I32(raw & I32(0x7FFFFF)) | I32(0x3F800000)).view(np.float32)
    return F32(F32(-np.log(2.0)) * (exponent + (_L0 + m * (_L1 + m * (_L2 + m * _L3)))))
