"""Numbers kept as bytes: what is looked at for each scan then fits the processor's caches."""

import numpy as np

from positioning.radio_map import F32, U8


def to_bytes(values: F32, step: np.float32) -> U8:
    """Values in whole steps, 0 to 255."""
    steps: U8 = np.clip(np.rint(values / step), 0, 255).astype(np.uint8)
    return steps
