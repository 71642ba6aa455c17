"""Dates of a survey that was healed: what was not there yet is unknown, not absent.

A survey's own scans are epoch 0; each healing appends one. A transmitter born in epoch b may have been everywhere or
nowhere before: scans of earlier epochs say nothing of it. So earlier survey scans are compared without it, and its
counts by store take the scans since its birth alone (``epoch_tables.py``).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Epochs:
    """Args:
    first: (n_epochs + 1,) the first scan of each epoch on the map, which is in their order; the last entry is n_map.
    born: (n_transmitters,) the epoch since which scans speak of each transmitter; 0 for the survey's own.
    until_us: instants up to which confirmed scans, and the model's own sure answers, were learned; a scan learned twice
        would vouch for itself.
    """

    first: NDArray[np.int64]
    born: NDArray[np.int32]
    until_us: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if len(self.first) < 2 or self.first[0] != 0 or np.any(np.diff(self.first) < 0):
            raise ValueError(f"expected the first scans of epochs, rising from 0, found {self.first.tolist()}")
        if len(self.born) and not 0 <= self.born.min() <= self.born.max() < self.n_epochs:
            raise ValueError(f"expected births within {self.n_epochs} epochs, found {int(self.born.max())}")

    @property
    def n_epochs(self) -> int:
        return len(self.first) - 1

    def of_scans(self) -> NDArray[np.int32]:
        """(n_map,) the epoch of each scan of the map."""
        return np.repeat(np.arange(self.n_epochs, dtype=np.int32), np.diff(self.first))


def one_epoch(n_map: int, n_transmitters: int) -> Epochs:
    """Of a survey that was not healed."""
    return Epochs(np.array([0, n_map], dtype=np.int64), np.zeros(n_transmitters, dtype=np.int32))
