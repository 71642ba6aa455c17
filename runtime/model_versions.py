"""The versions of a venue's model, on disk: which there were, what each came of, and the way back.

versions/0003.npz     the model's bytes
         0003.json    number, what made it, its hash, the version it replaced; written last: without it there is none

The live model is the venue's ``model.npz``, a copy; its hash says which version it is. Writes are whole or absent, and
the live file comes last, so a crash leaves the old model live. One writer at a time; a candidate made from a model
that serves no more is not stored (``runtime/healing.py``).
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from runtime.errors import NoFormerModelError
from runtime.files import write_whole

MOST_KEPT = 5
"""Versions of a venue that are kept: the newest, the live one, and the one it goes back to."""
Kind = Literal["trained", "healed", "found"]


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version.

    Args:
        kind: trained on the survey, healed from another version, or found in place without a record.
        sha256: of its bytes.
        replaced: the number of the version that was live before it; None for the first.
        note: what it was made of, for people.
    """

    number: int
    kind: Kind
    sha256: str
    replaced: int | None
    note: str


class ModelVersions:
    """The versions beside one live file."""

    def __init__(self, live: Path) -> None:
        self._live = live
        self._folder = live.parent / "versions"

    def all(self) -> list[ModelVersion]:
        """Those that are kept, oldest first."""
        found = []
        for path in sorted(self._folder.glob("*.json")) if self._folder.is_dir() else []:
            try:
                version = ModelVersion(**json.loads(path.read_bytes()))
                is_there = self._bytes_path(version.number).is_file()
            except (OSError, ValueError, TypeError):
                continue  # damaged: it is not offered
            if is_there:
                found.append(version)
        return found

    def live(self) -> ModelVersion | None:
        """The version that is live; None where no model is, or an unknown one."""
        if not self._live.is_file():
            return None
        sha256 = _hash(self._live.read_bytes())
        return next((version for version in self.all() if version.sha256 == sha256), None)

    def add(self, data: bytes, kind: Kind, note: str) -> ModelVersion:
        """Store a model as a new version and make it live; old versions over ``MOST_KEPT`` go."""
        before = self.live()
        if before is None and self._live.is_file():
            before = self._write(self._live.read_bytes(), "found", None, "")
        if before is not None and before.sha256 == _hash(data):
            return before
        for same in (version for version in self.all() if version.sha256 == _hash(data)):
            self._drop(same)  # it comes back under a new number: a hash must name one version
        version = self._write(data, kind, None if before is None else before.number, note)
        write_whole(self._live, data)
        self._drop_old(version)
        return version

    def live_sha256(self) -> str | None:
        """The hash of the live model; None where there is none."""
        return _hash(self._live.read_bytes()) if self._live.is_file() else None

    def roll_back(self, check: Callable[[bytes], object]) -> ModelVersion:
        """Make the version live again that the live one replaced.

        Args:
            check: reads the model, and raises where it cannot serve; nothing is changed then.

        Raises:
            NoFormerModelError: there is none, or it is not kept any more or damaged.
        """
        live = self.live()
        if live is None or live.replaced is None:
            raise NoFormerModelError("the live model replaced none: there is nothing to go back to")
        former = next((version for version in self.all() if version.number == live.replaced), None)
        if former is None:
            raise NoFormerModelError(f"version {live.replaced}, which the live model replaced, is not kept any more")
        data = self._bytes_path(former.number).read_bytes()
        if _hash(data) != former.sha256:
            raise NoFormerModelError(f"the file of version {former.number} is damaged")
        check(data)
        write_whole(self._live, data)
        return former

    def clear(self) -> None:
        """Forget all versions and the live model: the venue's map or survey is another."""
        self._live.unlink(missing_ok=True)
        if self._folder.is_dir():
            for path in sorted(self._folder.iterdir()):
                path.unlink(missing_ok=True)

    def _write(self, data: bytes, kind: Kind, replaced: int | None, note: str) -> ModelVersion:
        names = [path.stem for path in self._folder.iterdir()] if self._folder.is_dir() else []
        numbers = [int(name) for name in names if name.isascii() and name.isdigit()]
        version = ModelVersion(max(numbers, default=0) + 1, kind, _hash(data), replaced, note)
        write_whole(self._bytes_path(version.number), data)
        write_whole(self._folder / f"{version.number:04d}.json", json.dumps(asdict(version)).encode())
        return version

    def _drop_old(self, live: ModelVersion) -> None:
        spare = [version for version in self.all() if version.number not in {live.number, live.replaced}]
        for version in spare[: max(0, len(self.all()) - MOST_KEPT)]:
            self._drop(version)

    def _drop(self, version: ModelVersion) -> None:
        (self._folder / f"{version.number:04d}.json").unlink(missing_ok=True)
        self._bytes_path(version.number).unlink(missing_ok=True)

    def _bytes_path(self, number: int) -> Path:
        return self._folder / f"{number:04d}.npz"


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
