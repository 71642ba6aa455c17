"""Read an IMDF archive whole, or refuse it with everything that is wrong with it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from venues.archive import FEATURE_TYPES, Feature, ImdfArchive
from venues.build import store_id_of
from venues.errors import ImdfRefusedError
from venues.faults import Fault, FaultCode
from venues.imdf.checks import Entry, check_feature, check_nearness
from venues.imdf.container import open_members
from venues.imdf.references import check_references
from venues.imdf.removal import sound_features
from venues.strict_json import BadJsonError, load_json

_MANIFEST = "manifest.json"
_VERSION = "1.0.0"


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What was read, and the faults that a lenient reading passed over (none otherwise)."""

    archive: ImdfArchive
    faults: tuple[Fault, ...]


def read_archive(data: bytes, *, lenient: bool = False) -> ReadResult:
    """Read the bytes of an IMDF archive; all faults are found in one run.

    Args:
        lenient: leave faulty features out, with what hangs on them (``removal``), instead of refusing. A
            structural fault (``faults.STRUCTURAL_CODES``) refuses the archive all the same.

    Raises:
        ImdfRefusedError: carries every fault found; nothing else is raised, whatever the bytes.
    """
    members, faults = open_members(data)
    if not members:
        raise ImdfRefusedError(tuple(faults) or (Fault(None, None, FaultCode.NO_MANIFEST, "the archive is empty"),))
    manifest = _read_manifest(members, faults)
    entries: list[Entry] = []
    present: list[str] = []
    for name, stem, content in _feature_files(members, faults):
        features = _read_collection(name, content, faults, is_known=stem is not None)
        if features is None:
            continue
        if stem is not None:
            present.append(stem)
        entries += [check_feature(name, index, stem, raw) for index, raw in enumerate(features)]
    faults += _archive_faults(entries)
    check_nearness(entries)
    check_references(entries)
    faults += [finding.fault for entry in entries for finding in entry.findings]
    if any(fault.is_structural for fault in faults) or (faults and not lenient) or manifest is None:
        raise ImdfRefusedError(tuple(faults))
    features_by_type: dict[str, list[Feature]] = {kind: [] for kind in present}
    for kind, feature in sound_features(entries):
        features_by_type[kind].append(feature)
    lost = [
        Fault(None, None, code, f"no {kind} is left when the faulty features are taken out")
        for kind, code in (("venue", FaultCode.NO_VENUE), ("level", FaultCode.NO_LEVEL))
        if not features_by_type.get(kind)
    ]
    if lost:
        raise ImdfRefusedError((*faults, *lost))
    archive = ImdfArchive(manifest, {kind: tuple(found) for kind, found in features_by_type.items()})
    return ReadResult(archive, tuple(faults))


def _read_manifest(members: dict[str, bytes], faults: list[Fault]) -> dict[str, Any] | None:
    if _MANIFEST not in members:
        faults.append(Fault(_MANIFEST, None, FaultCode.NO_MANIFEST, "the archive has no manifest"))
        return None
    try:
        manifest = load_json(members[_MANIFEST])
    except BadJsonError as error:
        faults.append(Fault(_MANIFEST, None, error.fault_code, str(error)))
        return None
    if not isinstance(manifest, dict):
        faults.append(Fault(_MANIFEST, None, FaultCode.NO_MANIFEST, "expected an object"))
        return None
    for name in ("created", "language"):
        if not isinstance(manifest.get(name), str):
            faults.append(Fault(_MANIFEST, None, FaultCode.MISSING_PROPERTY, f"a manifest needs {name}"))
    version = manifest.get("version")
    if not isinstance(version, str) or not (version == _VERSION or version.startswith(f"{_VERSION}.")):
        message = f"expected version {_VERSION}, found {str(version)[:40]!r}"
        faults.append(Fault(_MANIFEST, None, FaultCode.UNSUPPORTED_VERSION, message))
    return manifest


def _feature_files(members: dict[str, bytes], faults: list[Fault]) -> Iterable[tuple[str, str | None, bytes]]:
    """(name, feature type or None where IMDF knows no such file, content), in the order of the types."""
    known: dict[str, tuple[str, bytes]] = {}
    unknown: list[tuple[str, str | None, bytes]] = []
    for name, content in members.items():
        stem, _, suffix = name.lower().rpartition(".")
        if name == _MANIFEST or suffix not in ("geojson", "json"):
            continue  # a licence or a read-me is no part of the map
        if stem not in FEATURE_TYPES:
            unknown.append((name, None, content))
            continue
        if stem in known:
            message = f"the archive holds {known[stem][0]} as well"
            faults.append(Fault(name, None, FaultCode.DUPLICATE_FILE, message))
            continue
        if name != f"{stem}.geojson":
            faults.append(Fault(name, None, FaultCode.FILE_NAME, f"expected the name {stem}.geojson"))
        known[stem] = (name, content)
    for kind in FEATURE_TYPES:
        if kind in known:
            yield known[kind][0], kind, known[kind][1]
    yield from unknown


def _read_collection(name: str, content: bytes, faults: list[Fault], *, is_known: bool) -> list[Any] | None:
    if not content.strip():
        faults.append(Fault(name, None, FaultCode.EMPTY_FILE, "expected a FeatureCollection, found nothing"))
        return None
    try:
        document = load_json(content)
    except BadJsonError as error:
        faults.append(Fault(name, None, error.fault_code if is_known else FaultCode.UNKNOWN_FILE, str(error)))
        return None
    features = document.get("features") if isinstance(document, dict) else None
    is_collection = isinstance(features, list) and document.get("type") == "FeatureCollection"
    if not is_known and not (is_collection and features):
        faults.append(Fault(name, None, FaultCode.UNKNOWN_FILE, "IMDF knows no such file"))
        return None
    if not is_collection:
        faults.append(Fault(name, None, FaultCode.NOT_A_FEATURE_COLLECTION, "expected a FeatureCollection"))
        return None
    return list(features or ())


def _archive_faults(entries: list[Entry]) -> Iterable[Fault]:
    """What is wrong with the features taken together."""
    venues = [entry for entry in entries if entry.feature_type == "venue"]
    if not venues:
        yield Fault("venue.geojson", None, FaultCode.NO_VENUE, "expected one venue, found none")
    for entry in venues[1:]:
        yield Fault(entry.file, entry.label, FaultCode.SEVERAL_VENUES, f"expected one venue, found {len(venues)}")
    if not any(entry.feature_type == "level" for entry in entries):
        yield Fault("level.geojson", None, FaultCode.NO_LEVEL, "expected at least one level, found none")
    first: dict[str, Entry] = {}
    stores: dict[str, Entry] = {}
    for entry in entries:
        if entry.feature_id is None:
            continue
        held = first.setdefault(entry.feature_id, entry)
        if held is not entry:
            message = f"the id stands in {held.file} too" if held.file != entry.file else "the id stands here twice"
            yield Fault(entry.file, entry.label, FaultCode.DUPLICATE_ID, message)
        elif entry.feature_type == "occupant" and isinstance(entry.raw.get("properties"), dict):
            store = stores.setdefault(store_id_of(entry.raw), entry)
            if store is not entry:
                yield Fault(entry.file, entry.label, FaultCode.DUPLICATE_ID, f"names the store of {store.label} too")
