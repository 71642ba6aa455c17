"""Correlated shadowing: a Gaussian field whose correlation falls as exp(-distance / length)."""

import numpy as np
from numpy.typing import NDArray


def shadowing_fields(
    n_fields: int, nx: int, ny: int, cell_m: float, sd_db: float, length_m: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw independent fields with mean 0 and standard deviation ``sd_db``.

    The field is drawn on a torus with a margin of 6 lengths (correlation 0.2 %), where white noise filtered in
    the frequency domain has exactly the covariance asked for, up to negative eigenvalues cut at 0 (under 1e-3 of
    the variance, corrected).

    Source: M. Gudmundson, *Correlation model for shadow fading in mobile radio systems*, Electronics Letters 1991,
    for the exponential form; C. R. Dietrich and G. N. Newsam, *Fast and exact simulation of stationary Gaussian
    processes*, SIAM J. Sci. Comput. 1997, for the embedding.

    Returns:
        (n_fields, ny, nx) dB.
    """
    margin = int(np.ceil(6.0 * length_m / cell_m))
    wide, high = nx + margin, ny + margin
    dx = np.minimum(np.arange(wide), wide - np.arange(wide)) * cell_m
    dy = np.minimum(np.arange(high), high - np.arange(high)) * cell_m
    covariance = np.exp(-np.hypot(dx[None, :], dy[:, None]) / length_m)
    spectrum = np.maximum(np.fft.fft2(covariance).real, 0.0)
    spectrum /= spectrum.mean()
    amplitude = np.sqrt(spectrum)
    out = np.empty((n_fields, ny, nx), dtype=np.float32)
    for i in range(0, n_fields, 2):  # real and imaginary part of one complex draw are two independent fields
        noise = rng.standard_normal((high, wide)) + 1j * rng.standard_normal((high, wide))
        field = np.fft.ifft2(np.fft.fft2(noise) * amplitude)[:ny, :nx] * sd_db
        out[i] = field.real
        if i + 1 < n_fields:
            out[i + 1] = field.imag
    return out
