"""Who refers to whom, and which references lead nowhere."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from venues.faults import FaultCode
from venues.imdf.checks import Entry
from venues.imdf.schema import PROPERTIES, Kind


@dataclass(frozen=True, slots=True)
class Reference:
    """One id named by a property; ``target_type`` is what it must lead to."""

    property_name: str
    target_id: str
    target_type: str
    carries: bool
    is_list: bool


def references_of(feature_type: str, properties: Mapping[str, Any]) -> Iterator[Reference]:
    """The references of a feature, those with the right shape only."""
    for name, rule in PROPERTIES.get(feature_type, {}).items():
        value = properties.get(name)
        if value is None:
            continue
        if rule.kind is Kind.REFERENCE and isinstance(value, str) and rule.target:
            yield Reference(name, value, rule.target, rule.carries, is_list=False)
        elif rule.kind is Kind.REFERENCES and isinstance(value, list) and rule.target:
            for item in value:
                if isinstance(item, str):
                    yield Reference(name, item, rule.target, rule.carries, is_list=True)
        elif rule.kind in (Kind.LINK, Kind.LINKS):
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict) and isinstance(item.get("id"), str):
                    target_type = str(item.get("feature_type"))
                    yield Reference(name, item["id"], target_type, rule.carries, is_list=False)


def check_references(entries: Iterable[Entry]) -> None:
    """Find references to features that the archive does not hold, or that have another type."""
    entries = list(entries)
    type_of = {entry.feature_id: entry.feature_type for entry in entries if entry.feature_id is not None}
    for entry in entries:
        properties = entry.raw.get("properties") if isinstance(entry.raw, dict) else None
        if not isinstance(properties, dict):
            continue
        for reference in references_of(entry.feature_type, properties):
            found = type_of.get(reference.target_id)
            if found == reference.target_type:
                continue
            is_there = "the archive has none" if found is None else f"that is a {found}"
            message = (
                f"{reference.property_name}: no {reference.target_type[:40]} {reference.target_id[:64]}; {is_there}"
            )
            entry.add(FaultCode.DANGLING_REFERENCE, message, reference.property_name)
