"""A lenient reading: faulty features out, and with them what hangs on them."""

from collections.abc import Iterable
from typing import Any

from venues.archive import Feature
from venues.faults import FaultCode
from venues.imdf.checks import Entry
from venues.imdf.references import references_of

_PASSED_ON_A_VENUE = frozenset({FaultCode.DANGLING_REFERENCE, FaultCode.MISSING_PROPERTY, FaultCode.INVALID_PROPERTY})


def sound_features(entries: Iterable[Entry]) -> list[tuple[str, Feature]]:
    """The (type, feature) pairs that remain, in order, and refer to nothing that is gone.

    A feature goes when it has a fault, or when it hangs on one that goes (``carries`` in the schema; of a list
    of carriers, when all of them go). Other references to what is gone are cleared. The venue itself stays as
    long as its outline is good: the property at fault is cleared instead.
    """
    kept: dict[str, tuple[str, Feature]] = {}
    for entry in entries:
        if entry.feature_id is None or not isinstance(entry.raw, dict):
            continue
        if not entry.findings:
            kept[entry.feature_id] = (entry.feature_type, entry.raw)
        elif entry.feature_type == "venue" and all(
            finding.fault.code in _PASSED_ON_A_VENUE and finding.property_name for finding in entry.findings
        ):
            names = [finding.property_name for finding in entry.findings if finding.property_name]
            kept[entry.feature_id] = (entry.feature_type, _with(entry.raw, dict.fromkeys(names)))
    for key in _hanging_on_the_lost(kept):
        del kept[key]
    return [(kind, _without_lost_references(kind, feature, kept)) for kind, feature in kept.values()]


def _hanging_on_the_lost(kept: dict[str, tuple[str, Feature]]) -> set[str]:
    """The kept features that hang, over any number of links, on one that is not there. Linear in all links."""
    carried: dict[str, list[tuple[str, str]]] = {}
    remaining: dict[tuple[str, str], int] = {}
    lost: set[str] = set()
    for key, (kind, feature) in kept.items():
        lists: dict[str, set[str]] = {}
        for reference in references_of(kind, feature["properties"]):
            if not reference.carries:
                continue
            if reference.is_list:
                lists.setdefault(reference.property_name, set()).add(reference.target_id)
            else:
                carried.setdefault(reference.target_id, []).append((key, ""))
        for name, targets in lists.items():
            remaining[key, name] = len(targets)
            for target in targets:
                carried.setdefault(target, []).append((key, name))
    pending = [target for target in carried if target not in kept]
    while pending:
        for key, name in carried.get(pending.pop(), ()):
            remaining[key, name] = remaining.get((key, name), 1) - 1
            if remaining[key, name] <= 0 and key not in lost:
                lost.add(key)
                pending.append(key)
    return lost


def _without_lost_references(kind: str, feature: Feature, kept: dict[str, tuple[str, Feature]]) -> Feature:
    changes: dict[str, Any] = {}
    for reference in references_of(kind, feature["properties"]):
        name = reference.property_name
        if reference.target_id not in kept and name not in changes:
            value = feature["properties"][name]
            changes[name] = ([item for item in value if item in kept] or None) if reference.is_list else None
    return _with(feature, changes) if changes else feature


def _with(feature: Feature, changes: dict[str, Any]) -> Feature:
    return {**feature, "properties": {**feature["properties"], **changes}}
