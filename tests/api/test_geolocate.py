"""Google's geolocation format: with Google's own Python client, and the errors that clients rely on."""

from typing import Any

import googlemaps
import googlemaps.geolocation
import httpx
import pytest

from api.ports import Role
from tests.living_server import Living, stay


def access_points(living: Living) -> list[dict[str, Any]]:
    scan = stay(living.world, living.venue.stores[0].id, "d-1", n=1)[0]
    return [
        {"macAddress": item["bssid"].upper().replace(":", "-"), "signalStrength": item["rssi_dbm"], "age": 0}
        for item in scan["wifi"]
    ]


def test_the_googlemaps_client_gets_an_answer(living_module: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(googlemaps.geolocation, "_GEOLOCATION_BASE_URL", living_module.url)
    client = googlemaps.Client(key=living_module.keys[Role.DEVICE])
    answer = client.geolocate(wifi_access_points=access_points(living_module))
    store = living_module.venue.stores[0]
    lon_deg, lat_deg = living_module.venue.frame.to_lon_lat_deg((store.display_point.x, store.display_point.y))
    assert abs(answer["location"]["lat"] - lat_deg) < 3e-4
    assert abs(answer["location"]["lng"] - lon_deg) < 3e-4
    assert answer["accuracy"] > 0
    assert answer["indoor"]["candidates"][0]["store_id"] == store.id
    assert client.geolocate(wifi_access_points=[]) == not_found()


def not_found() -> dict[str, Any]:
    one = {"domain": "geolocation", "reason": "notFound", "message": "Not found"}
    return {"error": {"code": 404, "message": "Not found", "errors": [one]}}


@pytest.mark.parametrize("path", ["/v1/geolocate", "/geolocation/v1/geolocate"])
def test_errors_wear_googles_envelope(living_module: Living, path: str) -> None:
    key = living_module.keys[Role.DEVICE]
    with living_module.client() as http:
        assert http.post(path, json={}).status_code == 401
        assert (
            http.post(path, params={"key": "AIza-no"}, json={}).json()["error"]["errors"][0]["reason"] == "keyInvalid"
        )
        cashier = http.post(path, params={"key": living_module.keys[Role.CASHIER]}, json={})
        assert cashier.status_code == 403
        for empty in (b"", b"{}", b'{"wifiAccessPoints": []}', b'{"wifiAccessPoints": 3}'):
            answer = http.post(path, params={"key": key}, content=empty, headers={"Content-Type": "application/json"})
            assert (answer.status_code, answer.json()) == (404, not_found())
        for broken in (b"{", b"\xff", b"[]", b"[" * 99_999, b'{"a": NaN}'):
            answer = http.post(path, params={"key": key}, content=broken)
            assert answer.status_code == 400
            assert answer.json()["error"]["errors"][0]["reason"] == "parseError"
            assert key not in answer.text
        assert http.get(path).status_code == 405
        preflight = http.options(path)
        assert preflight.headers["access-control-allow-origin"] == "*"


def test_a_malformed_entry_is_dropped_and_the_scan_survives(living_module: Living) -> None:
    good = access_points(living_module)
    odd: list[Any] = [
        {"macAddress": "zz"},
        {"macAddress": None},
        {},
        7,
        None,
        {"macAddress": "ff:ff:ff:ff:ff:ff"},
        {"macAddress": good[0]["macAddress"], "signalStrength": 1e308},
        {"macAddress": good[1]["macAddress"], "age": -5},
    ]
    with living_module.client(Role.DEVICE) as http:
        plain = http.post("/v1/geolocate", json={"wifiAccessPoints": good}).json()
        mixed = http.post("/v1/geolocate", json={"wifiAccessPoints": odd + good[::-1], "cellTowers": "?"}).json()
    assert mixed == plain


def test_one_network_alone_is_never_placed(living_module: Living) -> None:
    with living_module.client(Role.DEVICE) as http:
        answer: httpx.Response = http.post("/v1/geolocate", json={"wifiAccessPoints": access_points(living_module)[:1]})
    assert answer.status_code == 404
