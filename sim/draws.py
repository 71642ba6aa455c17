"""Chance by counter inside compiled loops: 32 random bits at a time, so that a loop draws for eight entries at once.

Nothing here branches or looks anything up, so that LLVM makes vector instructions of a loop over it.
``sim/chance.py`` is the same idea for whole arrays, with 53 bits a number.
"""

import numba
import numpy as np

U32, U64, I32, F32 = np.uint32, np.uint64, np.int32, np.float32
"""numba widens 32-bit sums and products to 64 bits; a cast after each keeps eight of them in a vector register."""
STEP = U64(0xD1B54A32D192ED03)
"""Odd: what a counter is multiplied by before its mixing."""


@numba.njit(cache=True, nogil=True, inline="always")
def mix64(z: np.uint64) -> np.uint64:
    """64 bits that look random, of any 64 bits (SplitMix64's output function; Steele, Lea and Flood, OOPSLA 2014)."""
    z = (z ^ (z >> U64(30))) * U64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> U64(27))) * U64(0x94D049BB133111EB)
    return z ^ (z >> U64(31))


@numba.njit(cache=True, nogil=True, inline="always")
def draw32(key: np.uint64, counter: np.uint32) -> np.uint32:
    """32 random bits: those of a counter in the stream of a key, which must be mixed already.

    The finaliser of MurmurHash3 (Appleby 2011), with one half of the key before each of its two multiplications.
    """
    h = U32(counter ^ U32(key))
    h = U32(U32(h ^ U32(h >> U32(16))) * U32(0x85EBCA6B))
    h = U32(h ^ U32(key >> U64(32)))
    h = U32(U32(h ^ U32(h >> U32(13))) * U32(0xC2B2AE35))
    return U32(h ^ U32(h >> U32(16)))


@numba.njit(cache=True, nogil=True, inline="always")
def other16(bits: np.uint32) -> np.uint32:
    """16 bits for a second purpose of the same draw, whose normal number or halves do not tell them."""
    return U32(U32(bits * U32(0x9E3779B1)) >> U32(16))


@numba.njit(cache=True, nogil=True, inline="always")
def is_within(bits16: np.uint32, ratio: float) -> np.bool_:
    """Whether 16 random bits fall into a share of all, to 1 / 65,536; never at 0, always at 1."""
    return U32(bits16) < U32(ratio * 65_536.0)


_Z1, _Z3, _Z5 = F32(3.3416978 / 510.0), F32(0.13688764 / 510.0**3), F32(0.98369621 / 510.0**5)


@numba.njit(cache=True, nogil=True, inline="always")
def normal32(bits: np.uint32) -> np.float32:
    """A standard normal number of 32 random bits, 4.46 at most.

    The sum of their four bytes, bent to the normal quantiles by a polynomial (as Teichroew, 1953, did with a sum of
    twelve numbers): nowhere further than 0.001 from the normal distribution function.
    """
    pairs = U32(U32(bits & U32(0x00FF00FF)) + U32(U32(bits >> U32(8)) & U32(0x00FF00FF)))
    x = F32(I32(U32(pairs + U32(pairs >> U32(16))) & U32(0x7FF))) - F32(510.0)
    x2 = F32(x * x)
    return F32(x * (_Z1 + x2 * (_Z3 + x2 * _Z5)))


_LN_2 = F32(0.6931472)
_L0, _L1, _L2, _L3 = F32(-2.1338243), F32(3.0107437), F32(-1.02950006), F32(0.15391477)


@numba.njit(cache=True, nogil=True, inline="always")
def exponential16(bits: np.uint32) -> np.float32:
    """An exponential number of mean 1 of the lowest 16 bits, 11.8 at most, within 0.001 of -log(u).

    The logarithm to base 2 is the exponent of u as a floating-point number plus a cubic in its mantissa.
    """
    raw = F32(F32(I32(bits & U32(0xFFFF))) + F32(0.5)).view(np.int32)
    exponent = F32(I32(raw >> I32(23))) - F32(127.0 + 16.0)
    m = I32(I32(raw & I32(0x7FFFFF)) | I32(0x3F800000)).view(np.float32)
    drawn = F32(-_LN_2 * (exponent + (_L0 + m * (_L1 + m * (_L2 + m * _L3)))))
    return drawn if drawn > F32(0.0) else F32(0.0)
