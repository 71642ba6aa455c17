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
    h = U32(U32(counter * U32(0x9E3779B1)) ^ U32(key))
    h = U32(U32(h ^ U32(h >> U32(16))) * U32(0x85EBCA6B))
    h = U32(h ^ U32(key >> U64(32)))
    h = U32(U32(h ^ U32(h >> U32(13))) * U32(0xC2B2AE35))
    return U32(h ^ U32(h >> U32(16)))


_E0, _E1, _E2 = F32(-1.6741), F32(2.0124), F32(-0.33617)


@numba.njit(cache=True, nogil=True, inline="always")
def _minus_log2(y: np.float32) -> np.float32:
    """Of a number in (0, 1], to 0.0013: the exponent, and a polynomial of the mantissa."""
    bits = y.view(np.int32)
    exponent = F32(I32(I32(bits >> I32(23)) - I32(127)))
    m = I32(I32(bits & I32(0x7FFFFF)) | I32(0x3F800000)).view(np.float32)
    return -(exponent + (_L0 + m * (_L1 + m * (_L2 + m * _L3))))


_L0, _L1, _L2, _L3 = F32(-2.1338243), F32(3.0107437), F32(-1.02950006), F32(0.15391477)
_Z0, _Z1, _Z2 = F32(1.25352742), F32(0.2264173), F32(0.00910168)
_Z3, _Z4, _Z5 = F32(-0.00172162), F32(9.88170713e-05), F32(-2.06083393e-06)


@numba.njit(cache=True, nogil=True, inline="always")
def normal16(bits: np.uint32) -> np.float32:
    """A standard normal number of the lowest 16 bits, within 0.0011 of the quantile.

    As Giles ("Approximating the erfinv function", 2011): the quantile at (1 + x) / 2 is x times a polynomial of
    log(1 - x^2).
    """
    x = F32(F32(I32(bits & U32(0xFFFF))) * F32(1 / 32768)) - F32(1 - 1 / 65536)
    w = _minus_log2(F32(F32(1.0) - x * x))
    w2 = F32(w * w)
    return F32(x * ((_Z0 + w * _Z1) + w2 * ((_Z2 + w * _Z3) + w2 * (_Z4 + w * _Z5))))


@numba.njit(cache=True, nogil=True, inline="always")
def exponential16(bits: np.uint32) -> np.float32:
    """An exponential number of mean 1 of the lowest 16 bits, within 0.001 of the quantile; 11.8 at most."""
    return F32(F32(np.log(2.0)) * _minus_log2(F32(F32(F32(I32(bits & U32(0xFFFF))) + F32(0.5)) * F32(1 / 65536))))
