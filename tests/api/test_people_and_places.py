"""No call takes a person and returns places: read off the OpenAPI document, so that a new call cannot slip in."""

from collections.abc import Iterator
from typing import Any

from tests.living_server import Living

NAMES_A_PERSON = {"device_id", "person", "person_ref", "identities", "identity", "owner", "owners"}
"""Inputs by which a caller says whom it means; ``value`` of an identity comes with ``kind``."""
TELLS_A_PLACE = {"place", "place_id", "store_id", "level", "venue_id", "visit", "visit_id", "location", "lat", "lng"}
OWN = {
    ("POST", "/v1/scans"),  # the phone's own scan, answered to the phone
    ("POST", "/v1/geolocate"),
    ("POST", "/geolocation/v1/geolocate"),
    ("GET", "/v1/devices/{device_id}/tags"),  # its owner's
    ("GET", "/v1/me/export"),  # its owner's
}


def schemas(node: Any, document: dict[str, Any], seen: frozenset[str] = frozenset()) -> Iterator[dict[str, Any]]:
    """All schemas below a node, references followed."""
    if isinstance(node, dict):
        if (reference := node.get("$ref")) is not None:
            if reference not in seen:
                name = reference.rsplit("/", 1)[-1]
                yield from schemas(document["components"]["schemas"][name], document, seen | {reference})
            return
        yield node
        for value in node.values():
            yield from schemas(value, document, seen)
    elif isinstance(node, list):
        for value in node:
            yield from schemas(value, document, seen)


def names(node: Any, document: dict[str, Any]) -> set[str]:
    return {name for schema in schemas(node, document) for name in schema.get("properties", {})}


def asked_by(call: dict[str, Any], document: dict[str, Any]) -> set[str]:
    asked = {parameter["name"] for parameter in call.get("parameters", [])} | names(call.get("requestBody"), document)
    if "store_id" in asked:
        asked |= {"venue_id"}  # whoever names a store has named where it stands
    return asked | ({"identity"} if {"kind", "value"} <= asked else set())


def told_by(call: dict[str, Any], document: dict[str, Any]) -> set[str]:
    return names({status: answer for status, answer in call["responses"].items() if status.startswith("2")}, document)


def offenders(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (method.upper(), path)
        for path, calls in document["paths"].items()
        for method, call in calls.items()
        if asked_by(call, document) & NAMES_A_PERSON
        and (
            (told_by(call, document) & TELLS_A_PLACE) - asked_by(call, document)  # what came in may go out
            or _is_open(call, document)
        )
    }


def _is_open(call: dict[str, Any], document: dict[str, Any]) -> bool:
    """Whether the answer may hold fields that the document does not name: rows of anything."""
    answers = {status: answer for status, answer in call["responses"].items() if status.startswith("2")}
    return any(schema.get("additionalProperties") is True for schema in schemas(answers, document))


def test_no_call_takes_a_person_and_returns_places_but_their_own(living_module: Living) -> None:
    with living_module.client() as http:
        document = http.get("/openapi.json").json()
    assert offenders(document) - OWN == set()
    for method, path in OWN - {("POST", "/v1/geolocate"), ("POST", "/geolocation/v1/geolocate")}:
        assert method.lower() in document["paths"][path]


def test_the_reader_of_the_document_finds_a_call_that_would(living_module: Living) -> None:
    with living_module.client() as http:
        document = http.get("/openapi.json").json()
    visits = document["paths"]["/v1/visits"]["get"]
    visits["parameters"].append({"name": "person_ref", "in": "query"})  # it is told places that nobody named
    assert ("GET", "/v1/visits") in offenders(document)
