"""Google's geolocation format, exactly, at Google's path and Mozilla's; our position beside it under ``indoor``.

Sources: developers.google.com/maps/documentation/geolocation; mozilla/ichnaea, docs/api/geolocate. Differences on
purpose: a wrong key is 401 (403 is retried for a minute by Google's Python client), and nothing is ever answered
from the caller's IP address.
"""

from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api.access import caller_of, services_of
from api.body import MAX_BODY, read_body, work
from api.errors import MalformedBodyError, NotAllowedError
from api.problems import problem_of, status_of
from api.routes.documents import GEOLOCATE_BODY
from fingerprints.errors import TransmitterIdError
from fingerprints.scan import Reading, Scan
from fingerprints.transmitters import parse_bssid
from fingerprints.wire import MAX_AGE_MS, MAX_READINGS, MAX_RSSI_DBM, MIN_RSSI_DBM, merge_readings
from kernel.errors import AtriumError

router = APIRouter(tags=["location"])

MIN_NETWORKS = 2
"""One known router could be traced from anywhere by asking for it alone (mozilla/ichnaea's rule)."""
UNSTATED_RSSI_DBM = -80.0
"""Where a client gives no signal strength (beaconDB's rule)."""
_WORDS = {
    400: ("global", "parseError", "Parse Error"),
    401: ("usageLimits", "keyInvalid", "Missing or invalid API key."),
    403: ("usageLimits", "accessNotConfigured", "The key may not do this."),
    404: ("geolocation", "notFound", "Not found"),
    413: ("global", "parseError", "The body is too large"),
    415: ("global", "parseError", "The body's encoding is not read"),
    429: ("usageLimits", "userRateLimitExceeded", "Too many requests"),
}
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Allow-Methods": "POST, OPTIONS",
    "Access-Control-Max-Age": "2592000",
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "`location`, `accuracy` in metres (68 %), and `indoor`, our position"},
    400: {"description": "Google's error envelope"},
    401: {"description": "Google's error envelope"},
    403: {"description": "Google's error envelope"},
    404: {"description": "Google's error envelope: no known transmitter, or fewer than two networks"},
    413: {"description": "Google's error envelope"},
    415: {"description": "Google's error envelope"},
    429: {"description": "Google's error envelope"},
    503: {"description": "Google's error envelope"},
}


@router.post("/geolocation/v1/geolocate", openapi_extra={"requestBody": GEOLOCATE_BODY}, responses=_ANSWERS)
@router.post("/v1/geolocate", openapi_extra={"requestBody": GEOLOCATE_BODY}, responses=_ANSWERS)
async def geolocate(request: Request) -> Response:
    """Where is a phone that hears these access points?"""
    try:
        caller = await caller_of(request, "locate", request.query_params.get("key"))
        body = await read_body(request, MAX_BODY)
        scan = await work(len(body), lambda: _scan(body, request))
        if len(scan.readings) < MIN_NETWORKS:
            return _error(404)
        (answer,) = await services_of(request).scans.answer(caller.tenant, [scan])
    except AtriumError as error:
        return _refuse(error)
    if isinstance(answer, AtriumError):
        return _refuse(answer)
    position = msgspec.json.decode(answer)["position"]
    if position is None:
        return _error(404)
    told = {"location": position["location"], "accuracy": position["accuracy_m"], "indoor": position}
    return JSONResponse(told, headers=_CORS)


@router.options("/geolocation/v1/geolocate", include_in_schema=False)
@router.options("/v1/geolocate", include_in_schema=False)
def preflight() -> Response:
    """Any web page may ask."""
    return Response(headers=_CORS)


def _scan(body: bytes, request: Request) -> Scan:
    """The scan of a request; an entry that cannot be read is dropped, never the scan. No body hears nothing."""
    if not body.strip():
        asked: Any = {}
    else:
        try:
            asked = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise MalformedBodyError("not JSON") from None
    if not isinstance(asked, dict):
        raise MalformedBodyError("expected an object")
    entries = asked.get("wifiAccessPoints")
    entries = entries if isinstance(entries, list) else []
    readings = [reading for entry in entries[:MAX_READINGS] if (reading := _reading(entry)) is not None]
    return Scan(at=services_of(request).clock.now(), readings=merge_readings(readings))


def _reading(entry: object) -> Reading | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("macAddress"), str):
        return None
    ssid = entry.get("ssid")
    if isinstance(ssid, str) and ssid.endswith("_nomap"):
        return None
    try:
        transmitter = parse_bssid(entry["macAddress"])
    except TransmitterIdError:
        return None
    rssi_dbm = _number(entry.get("signalStrength"), UNSTATED_RSSI_DBM)
    age_ms = _number(entry.get("age"), None)
    if rssi_dbm is None or not MIN_RSSI_DBM <= rssi_dbm <= MAX_RSSI_DBM:
        return None
    if age_ms is not None and not 0 <= age_ms <= MAX_AGE_MS:
        return None
    return Reading(transmitter, rssi_dbm, age_ms)


def _number(value: object, default: float | None) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    try:
        return float(value)
    except OverflowError:
        return float("inf")  # out of every range: the entry is dropped


def _refuse(error: AtriumError) -> Response:
    if isinstance(error, NotAllowedError):
        return _error(403)
    return _error(status_of(error), problem_of(error)["detail"])


def _error(status: int, details: str | None = None) -> Response:
    domain, reason, message = _WORDS.get(status, ("global", "backendError", "Backend Error"))
    body: dict[str, Any] = {
        "error": {
            "code": status,
            "message": message,
            "errors": [{"domain": domain, "reason": reason, "message": message}],
        }
    }
    if status == 400 and details is not None:
        body["details"] = {"decode": details}
    headers = dict(_CORS)
    if status == 429:
        headers["Retry-After"] = "1"
    return JSONResponse(body, status, headers=headers)
