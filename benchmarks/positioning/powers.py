"""Powers as weights that can be compared: 0 where a transmitter was not heard.

With m the survey's least power: *positive* is x - m + 1 dB; *powed* is ((x - m + 1) / (1 - m))^e (Torres-Sospedra et
al., Expert Systems with Applications 42, 2015). What is heard weaker than in the survey weighs 0 too.
"""

import numpy as np

from positioning.radio_map import F32


def positive(dense_dbm: F32, least_dbm: float) -> F32:
    """(n, n_transmitters) dB above one under the survey's least."""
    above = dense_dbm - np.float32(least_dbm - 1.0)
    return np.where(above > 0, above, np.float32(0.0)).astype(np.float32)  # NaN is not above anything


def powed(dense_dbm: F32, least_dbm: float) -> F32:
    """(n, n_transmitters) between 0 and 1 for powers up to 0 dBm."""
    share = positive(dense_dbm, least_dbm) / np.float32(1.0 - least_dbm)
    return np.asarray(share ** np.float32(np.e), dtype=np.float32)
