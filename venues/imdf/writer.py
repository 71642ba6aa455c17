"""Write an IMDF archive so that equal archives give equal bytes."""

import io
import json
import zipfile
from typing import Any, Final

from venues.archive import FEATURE_TYPES, ImdfArchive

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold; a real one would differ at each writing
_UNIX: Final = 3
_MODE: Final = 0o100644 << 16


def write_archive(archive: ImdfArchive) -> bytes:
    """The zip of an archive: ``manifest.json``, then one ``.geojson`` a feature type, keys sorted.

    Raises:
        ValueError: the archive names an unknown feature type, or holds a NaN or an infinity.
    """
    unknown = sorted(set(archive.features) - set(FEATURE_TYPES))
    if unknown:
        raise ValueError(f"IMDF knows no feature type {unknown[0]!r}")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        _add(target, "manifest.json", archive.manifest)
        for kind in FEATURE_TYPES:
            if kind in archive.features:
                collection = {"type": "FeatureCollection", "name": kind, "features": list(archive.features[kind])}
                _add(target, f"{kind}.geojson", collection)
    return out.getvalue()


def _add(target: zipfile.ZipFile, name: str, value: Any) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = _UNIX
    info.external_attr = _MODE
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    target.writestr(info, text.encode("utf-8"))
