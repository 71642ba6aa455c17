"""The faults of one feature on its own: identity, geometry, properties."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from shapely.geometry.base import BaseGeometry

from venues.archive import FEATURE_TYPES
from venues.faults import Fault, FaultCode
from venues.imdf.geometry import BadGeometryError, geometry_type, is_far, parse_geometry
from venues.imdf.schema import GEOMETRY_TYPES, PROPERTIES, Kind

_ID: Final = re.compile(r"^[A-Za-z0-9_.:{}-]{1,64}$")
"""IMDF asks for UUIDs; archives with other short ids are read too, for an id need only be unique."""
_SOURCE_ID: Final = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
_MAX_ORDINAL: Final = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault, and the property that bears it where one does."""

    fault: Fault
    property_name: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One feature as it stands in the archive, with all that is wrong with it."""

    file: str
    index: int
    raw: Any
    feature_type: str
    feature_id: str | None
    geometry: BaseGeometry | None
    findings: list[Finding]

    @property
    def label(self) -> str:
        """The feature's id, else its place in the file."""
        return self.feature_id if self.feature_id is not None else f"#{self.index}"

    def add(self, code: FaultCode, message: str, property_name: str | None = None) -> None:
        """Note one more fault."""
        self.findings.append(Finding(Fault(self.file, self.label, code, message), property_name))


def check_feature(file: str, index: int, expected_type: str | None, raw: Any) -> Entry:
    """Check a feature of a file that should hold ``expected_type`` only (None: a file IMDF does not know)."""
    is_object = isinstance(raw, dict)
    raw_id = raw.get("id") if is_object else None
    feature_id = raw_id if isinstance(raw_id, str) and _ID.match(raw_id) else None
    kind = raw.get("feature_type") if is_object else None
    findings: list[Finding] = []
    geometry = None
    entry = Entry(file, index, raw, str(kind)[:40], feature_id, None, findings)
    if not is_object or raw.get("type") != "Feature":
        entry.add(FaultCode.INVALID_FEATURE, "expected a GeoJSON Feature")
        return entry
    if feature_id is None:
        entry.add(FaultCode.INVALID_ID, f"expected an id, a UUID, found {str(raw_id)[:60]!r}")
    if kind not in FEATURE_TYPES:
        entry.add(FaultCode.UNKNOWN_FEATURE_TYPE, f"IMDF knows no feature type {str(kind)[:40]!r}")
        return entry
    if kind != expected_type:
        entry.add(FaultCode.MISPLACED_FEATURE, f"a feature of type {kind!r} does not belong into this file")
    geometry = _check_geometry(entry, kind, raw.get("geometry"))
    properties = raw.get("properties")
    if not isinstance(properties, dict):
        entry.add(FaultCode.INVALID_FEATURE, "expected an object of properties")
    else:
        _check_properties(entry, kind, properties)
    return Entry(file, index, raw, kind, feature_id, geometry, findings)


def check_nearness(entries: Iterable[Entry]) -> None:
    """Find features that cannot belong to the venue, such as one whose coordinates are swapped but in range."""
    entries = list(entries)
    venue = next((entry.geometry for entry in entries if entry.feature_type == "venue"), None)
    if venue is None:
        return
    for entry in entries:
        if entry.geometry is not None and is_far(entry.geometry, venue):
            centre = entry.geometry.envelope.centroid
            found = f"longitude {centre.x:.6g}, latitude {centre.y:.6g}"
            entry.add(FaultCode.OUT_OF_RANGE, f"{found}: far from the venue, perhaps swapped")


def _check_geometry(entry: Entry, kind: str, raw: Any) -> BaseGeometry | None:
    found = geometry_type(raw)
    allowed = GEOMETRY_TYPES[kind]
    if found not in allowed:
        expected = " or ".join(sorted(str(name or "null") for name in allowed))
        entry.add(FaultCode.WRONG_GEOMETRY_TYPE, f"a {kind} has {expected}, found {(found or 'null')[:40]}")
        return None
    if raw is None:
        return None
    try:
        return parse_geometry(raw)
    except BadGeometryError as error:
        entry.add(error.fault_code, str(error))
        return None


def _check_properties(entry: Entry, kind: str, properties: dict[str, Any]) -> None:
    for name, rule in PROPERTIES[kind].items():
        value = properties.get(name)
        if value is None:
            if rule.is_required:
                entry.add(FaultCode.MISSING_PROPERTY, f"a {kind} needs {name}", name)
        elif not _HOLDS[rule.kind](value) or (rule.is_required and value in ([], {})):
            entry.add(FaultCode.INVALID_PROPERTY, f"{name}: expected {rule.kind}, found {str(value)[:60]}", name)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_labels(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_ordinal(value: Any) -> bool:
    """Whole in JSON's sense: some writers say 1.0."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and value == int(value) and abs(value) <= _MAX_ORDINAL


def _is_validity(value: Any) -> bool:
    return isinstance(value, dict) and all(
        value.get(part) is None or _is_instant(value[part]) for part in ("start", "end", "modified")
    )


def _is_source_id(value: Any) -> bool:
    return isinstance(value, str) and bool(_SOURCE_ID.match(value))


def _is_references(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_links(value: Any) -> bool:
    return isinstance(value, list) and all(_is_link(item) for item in value)


def _is_link(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("id"), str) and isinstance(value.get("feature_type"), str)


def _is_point(value: Any) -> bool:
    if geometry_type(value) != "Point":
        return False
    try:
        parse_geometry(value)
    except BadGeometryError:
        return False
    return True


def _is_instant(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        datetime.fromisoformat(value)
        date.fromisoformat(value[:10])
    except ValueError:
        return False
    return True


_HOLDS: Final[dict[Kind, Callable[[Any], bool]]] = {
    Kind.TEXT: _is_text,
    Kind.LABELS: _is_labels,
    Kind.BOOL: _is_bool,
    Kind.ORDINAL: _is_ordinal,
    Kind.POINT: _is_point,
    Kind.VALIDITY: _is_validity,
    Kind.SOURCE_ID: _is_source_id,
    Kind.REFERENCE: _is_text,
    Kind.REFERENCES: _is_references,
    Kind.LINK: _is_link,
    Kind.LINKS: _is_links,
}
