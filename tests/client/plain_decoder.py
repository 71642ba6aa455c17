"""The wire format in plain Python, written from ``docs/sdk.md`` alone: what an author of a client has to do.

Imports nothing of ours and nothing but the standard library; a test sees to it.
"""

import base64
import hmac
import json
import re
import struct
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

_NONE = {"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:90:10:00"}
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:[0-5]\d)(?:\.(\d+))?([Zz]|[+-]\d\d:?\d\d)?", flags=re.ASCII)
_FROM_US, _TO_US = 0, 7_258_118_400_000_000
_MAX_ENTRIES = {"wifi": 1_000, "beacons": 1_000, "steps": 10_000}


@dataclass
class RefusedError(Exception):
    """The server refuses it, with this code."""

    code: str
    field: str | None = None


# -- instants and transmitters ---------------------------------------------------------------------------------


def instant_us(at: Any) -> int:
    """Microseconds since 1970 of an ``at``."""
    if isinstance(at, bool) or not isinstance(at, str | int | float):
        raise RefusedError("invalid_scan", "at")
    value_us = _of_text(at) if isinstance(at, str) else round(at * 1_000)
    if not _FROM_US <= value_us < _TO_US:
        raise RefusedError("invalid_time", "at")
    return value_us


def _of_text(at: str) -> int:
    found = _INSTANT.fullmatch(at)
    if found is None:
        raise RefusedError("invalid_scan", "at")
    day, clock, fraction, zone = found.groups()
    try:
        local = datetime.fromisoformat(f"{day}T{clock}")
    except ValueError:
        raise RefusedError("invalid_scan", "at") from None
    if zone is None:
        raise RefusedError("invalid_time", "at")
    micros = int((fraction or "0").ljust(7, "0")[:7]) + 5
    ahead = timedelta(0)
    if zone not in "Zz":
        ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:])) * (1 if zone[0] == "+" else -1)
    return round((local - datetime(1970, 1, 1) - ahead) / timedelta(seconds=1)) * 1_000_000 + micros // 10  # noqa: DTZ001


def wifi_id(bssid: str) -> str | None:
    """The canonical id of a ``bssid``; None where the entry is dropped."""
    if re.fullmatch(r"x-[A-Za-z0-9_.:-]{1,64}", bssid):
        return bssid
    text = bssid.strip().lower()
    pair, four = "[0-9a-f]{2}", "[0-9a-f]{4}"
    forms = [sep.join([pair] * 6) for sep in (":", "-", r"\.", "")] + [r"\.".join([four] * 3)]
    if not any(re.fullmatch(form, text) for form in forms):
        return None
    digits = re.sub("[^0-9a-f]", "", text)
    canonical = ":".join(digits[i : i + 2] for i in range(0, 12, 2))
    return None if canonical in _NONE else canonical


def beacon_id(entry: dict[str, Any]) -> str | None:
    """The canonical id of an entry of ``beacons``; None where it is dropped."""
    uuid, major, minor = entry.get("uuid"), entry.get("major"), entry.get("minor")
    if uuid is not None and major is not None and minor is not None:
        digits = uuid.lower().replace("-", "")
        if not re.fullmatch("[0-9a-f]{32}", digits) or not (0 <= major <= 65_535 and 0 <= minor <= 65_535):
            return None
        parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        return f"ib:{'-'.join(parts)}:{int(major)}:{int(minor)}"
    namespace = str(entry.get("namespace") or "").lower().removeprefix("0x")
    instance = str(entry.get("instance") or "").lower().removeprefix("0x")
    if re.fullmatch("[0-9a-f]{20}", namespace) and re.fullmatch("[0-9a-f]{12}", instance):
        return f"ed:{namespace}:{instance}"
    return None


# -- a scan ----------------------------------------------------------------------------------------------------


def readings(scan: dict[str, Any]) -> list[list[Any]]:
    """What is left of ``wifi`` and ``beacons``: ``[id, rssi_dbm, age_ms]`` in order of id."""
    best: dict[str, tuple[float, float]] = {}
    for kind in ("wifi", "beacons"):
        entries = scan.get(kind, [])
        if not isinstance(entries, list) or len(entries) > _MAX_ENTRIES[kind]:
            raise RefusedError("invalid_scan", kind)
        for index, entry in enumerate(entries):
            if not isinstance(entry.get("rssi_dbm"), int | float) or isinstance(entry["rssi_dbm"], bool):
                raise RefusedError(
                    "invalid_scan", f"{kind}[{index}].rssi_dbm" if "rssi_dbm" in entry else f"{kind}[{index}]"
                )
            if kind == "wifi" and not isinstance(entry.get("bssid"), str):
                raise RefusedError("invalid_scan", f"wifi[{index}].bssid")
            age = entry.get("age_ms")
            is_plausible = -127 <= entry["rssi_dbm"] <= 20 and (age is None or 0 <= age <= 3_600_000)
            if not is_plausible or str(entry.get("ssid") or "").endswith("_nomap"):
                continue
            name = wifi_id(entry["bssid"]) if kind == "wifi" else beacon_id(entry)
            rank = entry["rssi_dbm"], -(float("inf") if age is None else age)
            if name is not None and (name not in best or rank > best[name]):
                best[name] = rank
    return [
        [name, rssi_dbm, None if minus_age == -float("inf") else -minus_age]
        for name, (rssi_dbm, minus_age) in sorted(best.items())
    ]


def read_scan(scan: dict[str, Any]) -> dict[str, Any]:
    """What the server takes a scan for; raises ``RefusedError`` where it takes it for nothing."""
    _check_ids(scan)
    found = readings(scan)
    if "at" not in scan:
        raise RefusedError("invalid_scan")
    return {"epoch_us": instant_us(scan["at"]), "readings": found}


def _check_ids(scan: dict[str, Any]) -> None:
    for name in ("scan_id", "device_id", "venue_id"):
        text = scan.get(name)
        if text is not None and (not isinstance(text, str) or not 1 <= len(text) <= 128):
            raise RefusedError("invalid_scan", name)
    if re.search(r"[\x00-\x1f\x7f]", scan.get("device_id") or ""):
        raise RefusedError("invalid_scan", "device_id")


# -- msgpack ---------------------------------------------------------------------------------------------------


def unpack(packed: bytes) -> Any:
    """The value of a msgpack body."""
    value, end = _unpack(packed, 0)
    if end != len(packed):
        raise ValueError("bytes after the end")
    return value


def _unpack(b: bytes, i: int) -> tuple[Any, int]:
    kind, i = b[i], i + 1
    if kind <= 0x7F or kind >= 0xE0:
        return (kind if kind <= 0x7F else kind - 256), i
    if kind <= 0x8F:
        return _map(b, i, kind & 15)
    if kind <= 0x9F:
        return _array(b, i, kind & 15)
    if kind <= 0xBF:
        return b[i : i + (kind & 31)].decode(), i + (kind & 31)
    if kind in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[kind], i
    numbers = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q"}
    numbers |= {0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
    if kind in numbers:
        return struct.unpack_from(numbers[kind], b, i)[0], i + struct.calcsize(numbers[kind])
    long = {0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}[kind]
    n, i = int.from_bytes(b[i : i + long], "big"), i + long
    if kind <= 0xDB:
        return b[i : i + n].decode(), i + n
    return _array(b, i, n) if kind <= 0xDD else _map(b, i, n)


def _array(b: bytes, i: int, n: int) -> tuple[list[Any], int]:
    out: list[Any] = []
    for _ in range(n):
        value, i = _unpack(b, i)
        out.append(value)
    return out, i


def _map(b: bytes, i: int, n: int) -> tuple[dict[str, Any], int]:
    out: dict[str, Any] = {}
    for _ in range(n):
        key, i = _unpack(b, i)
        out[key], i = _unpack(b, i)
    return out, i


# -- bodies ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answered:
    """One scan's answer, as an app wants it."""

    scan_id: str | None
    error_code: str | None
    reason: str | None
    store_id: str | None
    phase: str | None
    codes: tuple[str, ...]


def objects(content_type: str, body: bytes) -> list[Any]:
    """The objects of a body of scans or answers; a list of one where it is no batch."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-ndjson":
        return [json.loads(line) for line in body.splitlines() if line.strip()]
    value = unpack(body) if kind in ("application/msgpack", "application/x-msgpack") else json.loads(body)
    for envelope in ("scans", "results"):
        if envelope in value:
            inner: list[Any] = value[envelope]
            return inner
    return [value]


def answered(answer: dict[str, Any]) -> Answered:
    """One answer read."""
    if "error" in answer:
        return Answered(answer["scan_id"], answer["error"]["code"], None, None, None, ())
    position, scene = answer["position"], answer["scene"]
    return Answered(
        scan_id=answer["scan_id"],
        error_code=None,
        reason=answer["reason"],
        store_id=None if position is None else position["store_id"],
        phase=None if scene is None else scene["phase"],
        codes=tuple(card["coupon"]["code"] for card in answer["cards"] if card["coupon"] is not None),
    )


def is_genuine(secret: str, headers: dict[str, str], body: bytes, now_s: float) -> bool:
    """Whether a webhook was signed with the secret, at most five minutes from now."""
    stamp = headers["webhook-timestamp"]
    if not stamp.isdigit() or abs(now_s - int(stamp)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{stamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, "sha256").digest()).decode()
    return any(hmac.compare_digest(expected, one) for one in headers["webhook-signature"].split())
