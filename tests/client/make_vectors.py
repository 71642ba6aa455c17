"""Makes ``clients/test_vectors`` from the real server: ``python -m tests.client.make_vectors``.

The cases stand here; what the server makes of them is asked of it. ``test_vectors.py`` asks again and compares, so a
change of the wire format that the vectors do not show fails there. The places are those of ``vector_mall.py``, not of
the simulator.
"""

import base64
import gzip
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec

from api.ports import Role
from api.problems import error_response, problem, problem_response
from fingerprints.errors import ScanFormatError
from fingerprints.wire import decode_json, to_scan
from kernel.clock import to_epoch_us
from kernel.errors import PartFailedError
from runtime.errors import BusyError
from runtime.webhooks.signing import signed_headers
from sim.layout import MallSpec
from sim.world import make_world
from tests.client.vector_mall import IN_STORE_D, IN_WALKWAY, STORE_D, prepare_home, wire_scan
from tests.living_server import NOON, Living, campaign, consents, serve

FOLDER = Path(__file__).resolve().parent.parent.parent / "clients" / "test_vectors"
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
AT = "2026-04-18T04:00:00Z"
AP = "0e:74:9c:a7:b2:e4"
UUID = "fda50693-a4e2-4fb1-afcf-c6eb07647825"
JSON, NDJSON, MSGPACK = "application/json", "application/x-ndjson", "application/msgpack"


# -- what needs no server but its decoder ----------------------------------------------------------------------

WIFI_IDS = [
    *(AP, AP.upper(), AP.replace(":", "-"), AP.replace(":", "."), AP.replace(":", ""), "0E74.9CA7.B2E4", f" {AP} "),
    *("02:00:00:00:00:00", "x-AP_1.2:3-4", "x-a", "x-" + "a" * 64),
    *("x-", "X-a", "x-a b", "x-é", "x-" + "a" * 65, "", "0e:74:9c:a7:b2", "0e:74-9c:a7:b2:e4", "e:74:9c:a7:b2:e4"),
    *("0e:74:9c:a7:b2:eg", "00:00:00:00:00:00", "FF-FF-FF-FF-FF-FF", "01005e901000"),
]
BEACONS: list[dict[str, Any]] = [
    {"uuid": UUID, "major": 10073, "minor": 61418},
    {"uuid": UUID.upper(), "major": 0, "minor": 65535},
    {"uuid": UUID.replace("-", ""), "major": 1, "minor": 2},
    {"uuid": UUID, "major": 65536, "minor": 0},
    {"uuid": UUID, "major": 0, "minor": -1},
    {"uuid": UUID[:-1], "major": 1, "minor": 2},
    {"uuid": UUID, "major": 1},
    {"namespace": "EDD1EBEAC04E5DEFA017", "instance": "0BDB87539B67"},
    {"namespace": "0xedd1ebeac04e5defa017", "instance": "0x0bdb87539b67"},
    {"namespace": "edd1ebeac04e5defa01", "instance": "0bdb87539b67"},
    {"namespace": "edd1ebeac04e5defa01g", "instance": "0bdb87539b67"},
    {"namespace": "edd1ebeac04e5defa017"},
    {"uuid": UUID, "namespace": "edd1ebeac04e5defa017", "instance": "0bdb87539b67"},
    {},
]
INSTANTS: list[Any] = [
    *(AT, "2026-04-18T12:00:00+08:00", "2026-04-17T22:30:00-05:30", "2026-04-18 04:00:00Z", "2026-04-18t04:00:00z"),
    *("2026-04-18T04:00:00.5Z", "2026-04-18T04:00:00.123456Z", "2026-04-18T04:00:00.1234565Z"),
    *("2026-04-18T04:00:00.9999996Z", "2026-04-18T04:00:00.123456789+00:00", "2024-02-29T00:00:00Z"),
    *("1970-01-01T00:00:00Z", "2199-12-31T23:59:59.999Z", 0, 1776484800000, 1776484800123, 1776484800000.5),
    *(1776484800, 7258118399999),
    *("2026-04-18T04:00:00", "2200-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:30:00+01:00"),
    *(-1, 7258118400000, 1e300),
    *("", "2026-04-18", "2026-04-18T04:00Z", "2026-04-18T04:00:60Z", "2026-04-18T24:00:00Z", "2026-02-29T04:00:00Z"),
    *("2026-04-18T04:00:00,5Z", "2026-04-18T04:00:00.Z", "1776484800000", True, None),
]


def heard(rssi_dbm: Any, age_ms: Any = None, bssid: str = AP, **more: Any) -> dict[str, Any]:
    return {"bssid": bssid, "rssi_dbm": rssi_dbm, **({} if age_ms is None else {"age_ms": age_ms}), **more}


SCANS: list[tuple[str, dict[str, Any]]] = [
    ("nothing heard", {"at": AT}),
    ("empty lists", {"at": AT, "wifi": [], "beacons": []}),
    ("all that is optional is null", {"at": AT, "scan_id": None, "device_id": None, "venue_id": None, "gps": None}),
    ("no zone", {"at": "2026-04-18T04:00:00", "wifi": []}),
    ("no instant", {"wifi": []}),
    ("wifi is null", {"at": AT, "wifi": None}),
    ("a power as text", {"at": AT, "wifi": [heard("-40")]}),
    ("an address as number", {"at": AT, "wifi": [{"bssid": 7, "rssi_dbm": -40}]}),
    ("no power", {"at": AT, "wifi": [{"bssid": AP}]}),
    ("an empty scan_id", {"at": AT, "scan_id": ""}),
    ("a scan_id of 128", {"at": AT, "scan_id": "s" * 128}),
    ("a scan_id of 129", {"at": AT, "scan_id": "s" * 129}),
    ("a control character in device_id", {"at": AT, "device_id": "a\nb"}),
    ("a slash in device_id", {"at": AT, "device_id": "Zm9v/YmE="}),
    ("too many entries", {"at": AT, "beacons": [{"rssi_dbm": -40}] * 1_001}),
    ("unknown fields", {"at": AT, "mood": "good", "wifi": [heard(-40, colour="red")]}),
    ("wifi and both kinds of beacon", {
        "at": AT,
        "wifi": [heard(-43, 885, frequency_mhz=5805, connected=False, ssid=None)],
        "beacons": [
            {"uuid": UUID.upper(), "major": 10073, "minor": 61418, "rssi_dbm": -82},
            {"namespace": "EDD1EBEAC04E5DEFA017", "instance": "0BDB87539B67", "rssi_dbm": -70.5, "age_ms": 12},
        ],
    }),
    ("the bounds of power", {"at": AT, "wifi": [
        heard(v, bssid=f"x-{i}") for i, v in enumerate([-127, -127.5, 20, 20.5, 0, 1e308, -1e308])
    ]}),
    ("the bounds of age", {"at": AT, "wifi": [
        heard(-40, v, bssid=f"x-{i}") for i, v in enumerate([0, 3_600_000, 3_600_001, -1, 0.5])
    ]}),
    ("the strongest of one transmitter", {"at": AT, "wifi": [
        heard(-60, 1), heard(-50, 900, AP.upper()), heard(-70, 0, AP.replace(":", ""))
    ]}),
    ("of equally strong ones the youngest", {"at": AT, "wifi": [heard(-50), heard(-50, 900), heard(-50, 20)]}),
    ("its owner asks not to be mapped", {"at": AT, "wifi": [
        heard(-40, ssid="home_nomap"), heard(-50, bssid="x-1", ssid="_nomap home")
    ]}),
    ("no transmitters", {"at": AT, "wifi": [heard(-40, bssid="ff:ff:ff:ff:ff:ff"), heard(-40, bssid="here")]}),
]  # fmt: skip


def decoded(scan: dict[str, Any]) -> dict[str, Any]:
    """What the server's own decoder makes of a scan."""
    try:
        read = to_scan(decode_json(json.dumps(scan).encode()))
    except ScanFormatError as error:
        return {"code": error.code, "field": error.field}
    found = [[reading.transmitter, reading.rssi_dbm, reading.age_ms] for reading in read.readings]
    return {"epoch_us": to_epoch_us(read.at), "readings": found}


def id_of(scan: dict[str, Any]) -> str | None:
    """The one transmitter of a scan; None where it was dropped."""
    readings = decoded(scan)["readings"]
    return readings[0][0] if readings else None


def transmitters() -> list[dict[str, Any]]:
    wifi = [{"wifi": {"bssid": text}, "id": id_of({"at": AT, "wifi": [heard(-40, bssid=text)]})} for text in WIFI_IDS]
    beacons = [{"beacon": one, "id": id_of({"at": AT, "beacons": [one | {"rssi_dbm": -40}]})} for one in BEACONS]
    return wifi + beacons


def instants() -> list[dict[str, Any]]:
    out = []
    for at in INSTANTS:
        told = decoded({"at": at})
        out.append({"at": at} | {name: told[name] for name in ("epoch_us", "code") if name in told})
    return out


def scans() -> list[dict[str, Any]]:
    return [{"name": name, "scan": scan} | decoded(scan) for name, scan in SCANS]


# -- exchanges with the server ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One exchange before it has happened."""

    name: str
    body: str | bytes | None
    match: str = "exact"
    method: str = "POST"
    path: str = "/v1/scans"
    key: str | None = "device"
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": JSON})
    same_as: str | None = None

    def request(self) -> dict[str, Any]:
        held: dict[str, Any] = {}
        if isinstance(self.body, str):
            held["text"] = self.body
        elif self.body is not None:
            held["base64"] = base64.b64encode(self.body).decode()
        return {"method": self.method, "path": self.path, "key": self.key, "headers": self.headers, **held}


def text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def cases() -> Iterator[Case]:
    """All exchanges in order; a campaign on store d is live before the first."""
    yield from _forms()
    yield from _places()
    yield from _phone()
    yield from _refusals()
    yield from _other_calls()


def _forms() -> Iterator[Case]:
    empty = {"scan_id": "s-1", "device_id": "d-nobody", "at": 1776484800000}
    strange = {
        "scan_id": "s-2",
        "at": AT,
        "wifi": [{"bssid": f"02:00:00:00:00:0{i}", "rssi_dbm": -50} for i in range(9)],
    }
    bad = {"scan_id": "s-3", "at": AT, "wifi": [{"bssid": 7, "rssi_dbm": -40}]}
    late = {"at": "2026-04-18T04:00:00"}
    batch = [empty, strange, bad, late]
    packed = msgspec.msgpack.encode
    yield Case("an empty scan", text(empty))
    yield Case("a scan of nothing but its instant", text({"at": AT}))
    yield Case("radios that nobody knows", text(strange))
    yield Case("a batch with two bad scans", text({"scans": batch}))
    yield Case("an empty batch", text({"scans": []}))
    lines = "\r\n".join(map(text, batch[:2])) + "\n\n" + "\n".join(map(text, batch[2:]))
    yield Case("the batch as lines", lines, headers={"Content-Type": NDJSON})
    yield Case("no lines", "", headers={"Content-Type": NDJSON})
    yield Case("an empty scan in msgpack", packed(empty), headers={"Content-Type": MSGPACK})
    yield Case("the batch in msgpack", packed({"scans": batch}), headers={"Content-Type": MSGPACK})
    zipped = gzip.compress(text(empty).encode(), mtime=0)
    yield Case("an empty scan in gzip", zipped, headers={"Content-Type": JSON, "Content-Encoding": "gzip"})


def _places() -> Iterator[Case]:
    known = wire_scan("k-1", None, NOON, IN_STORE_D)
    walkway = wire_scan("w-1", None, NOON, IN_WALKWAY)
    yield Case("a scan in a store", text(known), "shape")
    wifi = [one | {"bssid": one["bssid"].upper().replace(":", "-")} for one in known["wifi"]]
    beacons = [{name: v.upper() if isinstance(v, str) else v for name, v in one.items()} for one in known["beacons"]]
    respelt = known | {"wifi": wifi[::-1], "beacons": beacons[::-1]}
    yield Case("the same in another spelling and order", text(respelt), "shape", same_as="a scan in a store")
    yield Case("a scan in a walkway: a place, no store", text(walkway), "shape")
    packed = msgspec.msgpack.encode({"scans": [known, walkway]})
    yield Case("both in msgpack", packed, "shape", headers={"Content-Type": MSGPACK})


def _phone() -> Iterator[Case]:
    device = "/v1/devices/Zm9v%2FYmE%3D"
    every = timedelta(seconds=10)
    scans = [wire_scan(f"v-{i}", "Zm9v/YmE=", NOON + i * every, IN_STORE_D) for i in range(6)]
    for name, body in (
        ("a phone whose owner allows visits and cards", consents("visits", "marketing")),
        ("the same again", consents("visits", "marketing")),
    ):
        yield Case(name, text(body), method="PUT", path=device)
    batch = text({"scans": scans})
    yield Case("a visit and a card with a coupon", batch, "shape")
    yield Case(
        "the batch again: the same, no second coupon", batch, "shape", same_as="a visit and a card with a coupon"
    )
    ahead = scans[0] | {"scan_id": "v-ahead", "at": "2027-04-18T04:00:00Z"}
    yield Case("a clock a year ahead", text(ahead), "problem")
    child = consents("visits", "marketing") | {"age_band": "child"}
    yield Case("a child: nothing is allowed", text(child), method="PUT", path=device)
    yield Case("consent withdrawn", text(consents()), method="PUT", path=device)
    yield Case("nothing but the default", "{}", method="PUT", path="/v1/devices/d-2")
    twice = consents("visits", "visits")
    yield Case("a purpose twice", text(twice), "problem", method="PUT", path="/v1/devices/d-2")
    unknown = consents("selling")
    yield Case("an unknown purpose", text(unknown), "problem", method="PUT", path="/v1/devices/d-2")


def _refusals() -> Iterator[Case]:
    good = text({"at": AT})
    yield Case("no JSON", "{", "problem")
    yield Case("no body", "", "problem")
    yield Case("no object", "[]", "problem")
    yield Case("no UTF-8", b"\xff\xfe", "problem")
    yield Case("NaN", '{"at":NaN}', "problem")
    yield Case("scans is no list", '{"scans":3}', "problem")
    yield Case("no msgpack", b"\xc1", "problem", headers={"Content-Type": MSGPACK})
    yield Case("gzip cut off", gzip.compress(good.encode(), mtime=0)[:-4], "problem",
               headers={"Content-Type": JSON, "Content-Encoding": "gzip"})  # fmt: skip
    yield Case("no key", good, "problem", key=None)
    yield Case("an unknown key", good, "problem", key="unknown")
    yield Case("a key that may not", good, "problem", key="cashier")
    yield Case("no such path", None, "problem", method="GET", path="/v2/scans", headers={})
    yield Case("no such method", None, "problem", method="DELETE", headers={})
    yield Case("1,001 scans", '{"scans":[' + ",".join(["{}"] * 1_001) + "]}", "problem")
    yield Case("a type that is not read", good, "problem", headers={"Content-Type": "text/csv"})
    yield Case(
        "an encoding that is not read", good, "problem", headers={"Content-Type": JSON, "Content-Encoding": "br"}
    )
    yield Case("alone a bad scan is a problem", text({"at": AT, "wifi": [heard("-40")]}), "problem")
    yield Case("no zone", text({"at": "2026-04-18T04:00:00"}), "problem")


def _other_calls() -> Iterator[Case]:
    yield Case("a code that nobody issued", text({"code": "NOSUCHCODE", "store_id": STORE_D}), "problem",
               path="/v1/redemptions", key="cashier",
               headers={"Content-Type": JSON, "Idempotency-Key": "till-7-0001"})  # fmt: skip
    known = wire_scan("g-1", None, NOON, IN_STORE_D)["wifi"]
    google = [{"macAddress": one["bssid"], "signalStrength": one["rssi_dbm"]} for one in known]
    yield Case("Google's format", text({"wifiAccessPoints": google}), "shape", path="/v1/geolocate")
    yield Case("Google's format, one access point", text({"wifiAccessPoints": google[:1]}), path="/v1/geolocate")
    yield Case("Google's format, no key", "{}", path="/v1/geolocate", key=None)
    yield Case("health", None, "shape", method="GET", path="/v1/health", key=None, headers={})


def prepare(living: Living) -> None:
    """What stands before the first exchange: a live campaign on store d."""
    with living.client(Role.ADMIN) as admin:
        made = admin.post("/v1/campaigns", json=campaign(STORE_D)).json()
        admin.post(f"/v1/campaigns/{made['id']}:publish").raise_for_status()


def send(living: Living, request: dict[str, Any]) -> httpx.Response:
    """Put a vector's request on the wire as it stands."""
    keys = {"device": living.keys[Role.DEVICE], "cashier": living.keys[Role.CASHIER], "unknown": "no-such-key"}
    body = base64.b64decode(request["base64"]) if "base64" in request else request.get("text", "").encode()
    with living.client(key=keys[request["key"]] if request["key"] else None) as http:
        built = http.build_request(request["method"], request["path"], content=body, headers=request["headers"])
        return http.send(built)


def told(answer: httpx.Response) -> dict[str, Any]:
    """An answer as a vector has it."""
    kind = answer.headers["content-type"].partition(";")[0]
    out: dict[str, Any] = {"status": answer.status_code, "content_type": kind}
    if kind == NDJSON:
        return out | {"lines": answer.text.splitlines()}
    if kind == MSGPACK:
        return out | {
            "base64": base64.b64encode(answer.content).decode(),
            "json": msgspec.msgpack.decode(answer.content),
        }
    return out | {"json": answer.json()}


def unprovoked() -> list[dict[str, Any]]:
    """Answers of a server in trouble, made by the code that makes them."""
    out = []
    for name, response in (
        ("too busy", error_response(BusyError(retry_after_s=1))),
        ("a part failed", error_response(PartFailedError("nothing was stored"))),
        ("an error nobody foresaw", problem_response(500, problem(500, "internal", "an error it did not expect"))),
    ):
        held: dict[str, Any] = {"status": response.status_code, "content_type": response.media_type}
        if "retry-after" in response.headers:
            held["headers"] = {"Retry-After": response.headers["retry-after"]}
        response_json = json.loads(bytes(response.body))
        out.append({"name": name, "match": "problem", "provoked": False, "response": held | {"json": response_json}})
    return out


def exchanges(living: Living) -> list[dict[str, Any]]:
    prepare(living)
    out: list[dict[str, Any]] = []
    for case in cases():
        request = case.request()
        response = told(send(living, request))
        extra = {} if case.same_as is None else {"same_as": case.same_as}
        out.append({"name": case.name, "match": case.match, **extra, "request": request, "response": response})
    return out + unprovoked()


def webhooks() -> list[dict[str, Any]]:
    """Requests to a receiver: what the server signs, and what is to be refused five minutes around ``now_s``."""
    body = '{"specversion":"1.0","id":"evt_1","type":"visit.entered","data":{"store":"\u7eb0 é"}}'
    at = NOON + timedelta(seconds=0.75)
    signed = signed_headers(SECRET, "evt_1", at, body.encode())
    held = {"secret": SECRET, "headers": signed, "body": body, "now_s": int(NOON.timestamp()) + 10, "accepted": True}
    other = signed["webhook-signature"].replace("v1,", "v1a,")
    second = f"v1,{'A' * 43}= {other} {signed['webhook-signature']}"

    def changed(name: str, accepted: bool, headers: dict[str, str], **more: Any) -> dict[str, Any]:
        return {"name": name} | held | {"headers": signed | headers, "accepted": accepted} | more

    return [
        changed("as the server signs it", True, {}),
        changed("one of several signatures fits", True, {"webhook-signature": second}),
        changed("at the edge of five minutes", True, {}, now_s=int(NOON.timestamp()) + 300),
        changed("of another version", False, {"webhook-signature": other}),
        changed("of another id", False, {"webhook-id": "evt_2"}),
        changed("of another second", False, {"webhook-timestamp": str(int(NOON.timestamp()) + 1)}),
        changed("another body", False, {}, body=body + " "),
        changed("another secret", False, {}, secret="whsec_" + "B" * 43 + "="),
        changed("too old", False, {}, now_s=int(NOON.timestamp()) + 301),
        changed("too far ahead", False, {}, now_s=int(NOON.timestamp()) - 301),
        changed("no number of seconds", False, {"webhook-timestamp": "now"}),
        changed("no signature", False, {"webhook-signature": ""}),
    ]


def write(name: str, cases_: list[dict[str, Any]]) -> None:
    """One case a line, so that a change shows as one."""
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases_)
    (FOLDER / f"{name}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    write("transmitters", transmitters())
    write("instants", instants())
    write("scans", scans())
    write("webhooks", webhooks())
    world = make_world(3, MallSpec(n_levels=1))  # nobody asks it; a living server carries one
    with tempfile.TemporaryDirectory() as folder:
        prepare_home(Path(folder))
        with serve(Path(folder), world) as living:
            write("exchanges", exchanges(living))


if __name__ == "__main__":
    main()
