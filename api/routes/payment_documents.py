"""OpenAPI of the bodies and answers of ``POST /v1/payments``."""

from typing import Any

from members.identity import IdentityKind
from members.payment import MOST_AMOUNT, ComplaintReason

_TEXT = {"type": "string"}
_NAME = {"type": "string", "minLength": 1, "maxLength": 200}
_ID = {"type": "string", "minLength": 1, "maxLength": 128}
_INSTANT = {"type": "string", "format": "date-time"}
_CURRENCY = {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217"}
_AMOUNT = {"type": "integer", "minimum": 1, "maximum": MOST_AMOUNT, "description": "Minor units"}
_REASON = {"enum": [reason.value for reason in ComplaintReason]}

_PAYMENT_FIELDS: dict[str, Any] = {
    "kind": {"enum": ["payment"]},
    "store_id": _ID,
    "at": _INSTANT,
    "amount": _AMOUNT,
    "currency": _CURRENCY,
    "lines": {
        "type": "array",
        "maxItems": 500,
        "items": {
            "type": "object",
            "required": ["amount"],
            "additionalProperties": False,
            "properties": {
                "amount": {**_AMOUNT, "minimum": 0, "description": "Of the whole line, in minor units"},
                "quantity": {"type": "number", "exclusiveMinimum": 0},
                "sku": _NAME,
                "category": _NAME,
                "currency": {**_CURRENCY, "description": "If told, the payment's"},
            },
        },
    },
    "identities": {
        "type": "array",
        "maxItems": 20,
        "description": "Read at the door, kept as a pseudonym alone",
        "items": {
            "type": "object",
            "required": ["kind", "value"],
            "additionalProperties": False,
            "properties": {"kind": {"enum": [kind.value for kind in IdentityKind]}, "value": _NAME},
        },
    },
}
_OF_FIELDS: dict[str, Any] = {
    "at": _INSTANT,
    "payment_id": {**_ID, "description": "Of the payment; or of_receipt_id"},
    "of_receipt_id": {**_NAME, "description": "The payment's own receipt_id"},
    "of_source": {**_NAME, "description": "Where that is another source's"},
}
_REFUND_FIELDS = {"kind": {"enum": ["refund"]}, **_OF_FIELDS}
_REFUND_FIELDS |= {"amount": _AMOUNT, "currency": _CURRENCY, "store_id": _ID}
_COMPLAINT_FIELDS = {"kind": {"enum": ["complaint"]}, **_OF_FIELDS, "reason": _REASON}


def _object(fields: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": required, "properties": fields}


_OWN = {"source": _NAME, "receipt_id": {**_NAME, "description": "The source's own number: a repeat does nothing"}}
_PLAIN = {
    "anyOf": [
        _object({**_OWN, **_PAYMENT_FIELDS}, ["source", "receipt_id", "store_id", "at", "amount", "currency"]),
        _object({**_OWN, **_REFUND_FIELDS}, ["source", "receipt_id", "kind", "at", "amount", "currency"]),
        _object({**_OWN, **_COMPLAINT_FIELDS}, ["source", "receipt_id", "kind", "at"]),
    ]
}


def _event(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "data"],
        "properties": {
            "specversion": {"enum": ["1.0"]},
            "id": _NAME,
            "source": _NAME,
            "type": {"enum": [kind]},
            "time": {**_INSTANT, "description": "Used where the data has no `at`"},
            "data": data,
        },
    }


_EVENT = {
    "anyOf": [
        _event("payment.recorded", _object(_PAYMENT_FIELDS, ["store_id", "amount", "currency"])),
        _event("payment.refunded", _object(_REFUND_FIELDS, ["amount", "currency"])),
        _event("payment.complained", _object(_COMPLAINT_FIELDS, [])),
    ]
}
_BATCH = _object({"payments": {"type": "array", "maxItems": 1000, "items": _PLAIN}}, ["payments"])
_EXAMPLE = {
    "source": "till-7",
    "receipt_id": "2026-004711",
    "store_id": "st_12",
    "at": "2026-11-22T10:00:00Z",
    "amount": 12_900,
    "currency": "CNY",
    "lines": [{"sku": "A1", "category": "shoes", "quantity": 1, "amount": 12_900}],
    "identities": [{"kind": "loyalty", "value": "0042"}],
}

PAYMENT_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {"schema": {"anyOf": [_BATCH, _PLAIN]}, "example": _EXAMPLE},
        "application/cloudevents+json": {"schema": _EVENT},
        "application/cloudevents-batch+json": {"schema": {"type": "array", "maxItems": 1000, "items": _EVENT}},
    },
}

_STORED: dict[str, Any] = {
    "type": "object",
    "required": ["id", "kind", "source", "receipt_id", "venue_id", "store_id", "at", "recorded_at"],
    "properties": {
        "id": _TEXT,
        "kind": {"enum": ["payment", "refund", "complaint"]},
        "source": _TEXT,
        "receipt_id": _TEXT,
        "payment_id": {"type": ["string", "null"], "description": "What a refund or complaint is of"},
        "venue_id": _TEXT,
        "store_id": _TEXT,
        "at": _INSTANT,
        "amount": {"type": ["integer", "null"]},
        "currency": {"type": ["string", "null"]},
        "lines": {"type": "array", "items": {"type": "object"}},
        "reason": {"enum": [*(reason.value for reason in ComplaintReason), None]},
        "recorded_at": _INSTANT,
    },
}

PAYMENT_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Of a batch: `results` in its order, each what was stored or, with `error`, why it was not",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["results"],
                    "properties": {"results": {"type": "array", "items": {"type": "object"}}},
                }
            }
        },
    },
    201: {"description": "What was stored", "content": {"application/json": {"schema": _STORED}}},
}
