"""OpenAPI of what FastAPI cannot see: bodies read by msgspec, and the problems that calls answer with."""

from typing import Any

_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_INTEGER = {"type": "integer"}
_INSTANT = {"oneOf": [{"type": "string", "format": "date-time"}, {"type": "number"}]}

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": _INTEGER,
        "code": {**_TEXT, "description": "Stable; programs switch on this"},
        "detail": _TEXT,
        "field": {**_TEXT, "description": "The path of the field at fault"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}

SCAN_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["at"],
    "properties": {
        "scan_id": {**_TEXT, "maxLength": 128, "description": "A repeat gets the same answer and no new effect"},
        "device_id": {**_TEXT, "maxLength": 128, "description": "Absent: this scan alone, no state is kept"},
        "at": {**_INSTANT, "description": "RFC 3339, or epoch milliseconds"},
        "venue_id": {"type": ["string", "null"], "description": "Null: found from the radios"},
        "wifi": {
            "type": "array",
            "maxItems": 1000,
            "items": {
                "type": "object",
                "required": ["bssid", "rssi_dbm"],
                "properties": {
                    "bssid": {**_TEXT, "description": "Any usual spelling of an address, or x-NAME"},
                    "rssi_dbm": _NUMBER,
                    "frequency_mhz": {"type": ["integer", "null"]},
                    "age_ms": {"type": ["number", "null"]},
                    "connected": {"type": ["boolean", "null"]},
                    "ssid": {"type": ["string", "null"]},
                    "rtt_m": {"type": ["number", "null"]},
                },
            },
        },
        "beacons": {
            "type": "array",
            "maxItems": 1000,
            "items": {
                "type": "object",
                "required": ["rssi_dbm"],
                "properties": {
                    "uuid": _TEXT,
                    "major": _INTEGER,
                    "minor": _INTEGER,
                    "namespace": _TEXT,
                    "instance": _TEXT,
                    "rssi_dbm": _NUMBER,
                    "age_ms": {"type": ["number", "null"]},
                },
            },
        },
        "truth": {"type": ["object", "null"], "description": "Where the phone really was, in a labelled scan"},
    },
}

_EXAMPLE = {
    "scan_id": "s-1",
    "device_id": "d-1",
    "at": "2026-11-22T10:00:00.123Z",
    "wifi": [{"bssid": "0e:74:9c:a7:b2:e4", "rssi_dbm": -43, "frequency_mhz": 5805, "age_ms": 885}],
}
_BATCH_SCHEMA = {
    "type": "object",
    "required": ["scans"],
    "properties": {"scans": {"type": "array", "maxItems": 1000, "items": SCAN_SCHEMA}},
}

SCAN_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {"schema": {"anyOf": [_BATCH_SCHEMA, SCAN_SCHEMA]}, "example": _EXAMPLE},
        "application/x-ndjson": {"schema": {**_TEXT, "description": "One scan a line"}},
        "application/msgpack": {"schema": {**_TEXT, "format": "binary"}},
    },
}

SCAN_ANSWER: dict[str, Any] = {
    "description": "The answer to one scan, or `results` in the order of the scans",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "scan_id": {"type": ["string", "null"]},
                    "reason": {"enum": ["no_readings", "unknown_radio", "outside", None]},
                    "position": {"type": ["object", "null"]},
                    "scene": {"type": ["object", "null"]},
                    "cards": {"type": "array", "items": {"type": "object"}},
                    "results": {"type": "array", "items": {"type": "object"}},
                },
            }
        },
        "application/x-ndjson": {"schema": _TEXT},
        "application/msgpack": {"schema": {**_TEXT, "format": "binary"}},
    },
}

GEOLOCATE_BODY: dict[str, Any] = {
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "considerIp": {"type": "boolean"},
                    "wifiAccessPoints": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {"macAddress": _TEXT, "signalStrength": _NUMBER, "age": _NUMBER},
                        },
                    },
                },
            }
        }
    }
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem answers of a call, for its ``responses``."""
    content = {"application/problem+json": {"schema": PROBLEM_SCHEMA}}
    return {status: {"description": "A problem (RFC 9457)", "content": content} for status in statuses}
