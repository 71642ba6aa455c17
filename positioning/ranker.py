"""The shared ranker: one sum of trees over pair features, the same at every venue, never retrained there.

On disk it is one ``.npz`` of flat arrays without pickle, whose header holds the hash of its content and where it was
trained; ``ranker_fit.py`` makes it (``atrium ranker train``).
"""

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from positioning.errors import RankerError
from positioning.kernels.trees import TreeArrays, score_rows
from positioning.pairs import PAIR_FEATURES
from positioning.radio_map import F32, I32

FORMAT = 1
_ARRAYS = {
    "root": np.int32,
    "depth": np.int32,
    "column": np.int32,
    "threshold": np.float32,
    "child": np.int32,
    "value": np.float32,
}


@dataclass(frozen=True, slots=True)
class Ranker:
    """Trees as flat arrays (``kernels/trees.py``).

    ``features`` names the columns it looks at, ``trained_on`` the sets, ``sha256`` its content.
    """

    root: I32
    depth: I32
    column: I32
    threshold: F32
    child: I32
    value: F32
    features: tuple[str, ...]
    trained_on: tuple[str, ...]
    sha256: str

    def score(self, feature: F32, n_described: I32) -> F32:
        """(n, n_rows) of the features (n, n_rows, n_features): higher is likelier; -inf for the rows beyond
        ``n_described`` (n,)."""
        out = np.full(feature.shape[:2], -np.inf, dtype=np.float32)
        score_rows(feature, n_described, self.trees, out)
        return out

    @property
    def trees(self) -> TreeArrays:
        """The trees for the kernels."""
        return TreeArrays(self.root, self.depth, self.column, self.threshold, self.child, self.value)


def make_ranker(
    arrays: dict[str, NDArray[Any]], trained_on: tuple[str, ...], features: tuple[str, ...] = PAIR_FEATURES
) -> Ranker:
    """A ranker of these arrays, with its hash."""
    parts: dict[str, Any] = {name: np.ascontiguousarray(arrays[name], dtype=dtype) for name, dtype in _ARRAYS.items()}
    return Ranker(**parts, features=features, trained_on=trained_on, sha256=_hash(parts, features, trained_on))


def ranker_to_bytes(ranker: Ranker) -> bytes:
    """The ranker as bytes; the same ranker gives the same bytes."""
    header = {
        "format": FORMAT,
        "features": list(ranker.features),
        "trained_on": list(ranker.trained_on),
        "sha256": ranker.sha256,
    }
    out = io.BytesIO()
    encoded = np.frombuffer(json.dumps(header, sort_keys=True).encode(), dtype=np.uint8)
    arrays = {name: getattr(ranker, name) for name in _ARRAYS}
    np.savez_compressed(out, allow_pickle=False, header=encoded, **arrays)
    return out.getvalue()


def ranker_from_bytes(data: bytes) -> Ranker:
    """Read a ranker back.

    Raises:
        RankerError: damaged, of another format, or made for other features than this version's.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            header = json.loads(archive["header"].tobytes())
            parts = {name: archive[name] for name in _ARRAYS}
        if header["format"] != FORMAT:
            raise RankerError(f"expected format {FORMAT}, found {header['format']!r}")
        trained_on = tuple(header["trained_on"])
        found = _hash(parts, tuple(header["features"]), trained_on)
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise RankerError(f"not readable: {error}") from error
    if found != header["sha256"]:
        raise RankerError(f"expected content with sha256 {header['sha256']}, found {found}")
    if tuple(header["features"]) != PAIR_FEATURES:
        raise RankerError("it was trained on other features than this version's; train it again")
    return Ranker(**parts, features=PAIR_FEATURES, trained_on=trained_on, sha256=found)


def _hash(parts: dict[str, NDArray[Any]], features: tuple[str, ...], trained_on: tuple[str, ...]) -> str:
    digest = hashlib.sha256(json.dumps([list(features), list(trained_on)]).encode())
    for name, dtype in _ARRAYS.items():
        digest.update(f"{name}{parts[name].shape}{np.dtype(dtype)}".encode())
        digest.update(np.ascontiguousarray(parts[name], dtype=dtype).tobytes())
    return digest.hexdigest()
