"""The vectors for other languages: the real server says what they say, and plain Python reads them all."""

import ast
import base64
import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atrium_client import WebhookRefused, verify_webhook
from sim.world import World
from tests.client import make_vectors, plain_decoder
from tests.client.make_vectors import FOLDER, JSON, MSGPACK, NDJSON, prepare, send, told
from tests.client.plain_decoder import RefusedError, answered, beacon_id, instant_us, objects, read_scan, wifi_id
from tests.client.vector_mall import prepare_home
from tests.living_server import Living, serve

STABLE = frozenset({"scan_id", "reason", "venue_id", "level", "store_id", "store_name", "phase", "locator", "status"})
"""Values that hold on any machine even where figures may differ in their last digits."""
FOR_PEOPLE = frozenset({"title", "detail", "errors"})


def vectors(name: str) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return cases


EXCHANGES = vectors("exchanges")
BY_NAME = {exchange["name"]: exchange for exchange in EXCHANGES}


def content_of(message: dict[str, Any]) -> bytes:
    """The bytes of a request or a response."""
    if "base64" in message:
        return base64.b64decode(message["base64"])
    if "lines" in message:
        return "".join(line + "\n" for line in message["lines"]).encode()
    if "json" in message:
        return json.dumps(message["json"]).encode()
    return str(message.get("text", "")).encode()


def without_words(value: Any) -> Any:
    """A value whose problems have lost what is for people."""
    if isinstance(value, list):
        return [without_words(item) for item in value]
    if not isinstance(value, dict):
        return value
    is_problem = "type" in value and "code" in value
    return {k: without_words(v) for k, v in value.items() if not (is_problem and k in FOR_PEOPLE)}


def shape(value: Any, name: str = "") -> Any:
    """Fields, types, and what is null; of lists of figures the first item alone; stable values as they are."""
    if isinstance(value, dict):
        return {k: shape(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in (value if name in ("results", "cards", "") else value[:1])]
    if name == "reason" and isinstance(value, str):
        return re.sub(r"\d+\.\d+", "number", value)
    if value is None or name in STABLE:
        return value
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def values(response: dict[str, Any]) -> list[Any]:
    return [json.loads(line) for line in response["lines"]] if "lines" in response else [response["json"]]


# -- the server says what the vectors say ----------------------------------------------------------------------


@pytest.fixture
def vector_server(small_world: World, tmp_path: Path) -> Iterator[Living]:
    """A real server of the vectors' own mall."""
    prepare_home(tmp_path)
    with serve(tmp_path, small_world) as running:
        yield running


def test_the_real_server_answers_every_exchange_as_the_vectors_say(vector_server: Living) -> None:
    living = vector_server
    prepare(living)
    given: dict[str, dict[str, Any]] = {}
    for exchange in EXCHANGES:
        if not exchange.get("provoked", True):
            continue
        name, expected = exchange["name"], exchange["response"]
        given[name] = got = told(send(living, exchange["request"]))
        assert (name, got["status"], got["content_type"]) == (name, expected["status"], expected["content_type"])
        compare = shape if exchange["match"] == "shape" else without_words
        assert (name, *map(compare, values(got))) == (name, *map(compare, values(expected)))
        if "same_as" in exchange:
            assert values(got) == values(given[exchange["same_as"]])
            assert values(expected) == values(BY_NAME[exchange["same_as"]]["response"])
    assert len(given) > 40


def test_the_servers_decoder_reads_ids_instants_and_scans_as_the_vectors_say() -> None:
    assert make_vectors.transmitters() == vectors("transmitters")
    assert make_vectors.instants() == vectors("instants")
    assert make_vectors.scans() == vectors("scans")


def test_the_server_signs_webhooks_as_the_vectors_say() -> None:
    assert make_vectors.webhooks() == vectors("webhooks")


@pytest.mark.parametrize("case", vectors("webhooks"), ids=lambda case: case["name"])
def test_plain_python_and_the_client_take_and_refuse_webhooks(case: dict[str, Any]) -> None:
    secret, headers, body, now_s = case["secret"], case["headers"], case["body"].encode(), case["now_s"]
    assert plain_decoder.is_genuine(secret, headers, body, now_s) is case["accepted"]
    if case["accepted"]:
        assert verify_webhook(secret, headers, body, now_s=now_s) == json.loads(body)
    else:
        with pytest.raises(WebhookRefused):
            verify_webhook(secret, headers, body, now_s=now_s)


def test_the_answers_of_a_server_in_trouble_are_as_the_vectors_say() -> None:
    held = [exchange for exchange in EXCHANGES if not exchange.get("provoked", True)]
    assert make_vectors.unprovoked() == held


def test_every_form_and_every_kind_of_edge_is_there() -> None:
    kinds = {(e["request"]["headers"].get("Content-Type"), e["response"]["content_type"]) for e in EXCHANGES[:-3]}
    assert {(kind, kind) for kind in (JSON, NDJSON, MSGPACK)} <= kinds
    statuses = {e["response"]["status"] for e in EXCHANGES}
    assert statuses >= {200, 400, 401, 403, 404, 405, 413, 415, 422, 429, 500, 503}
    codes = {e["response"]["json"]["code"] for e in EXCHANGES if e["match"] == "problem"}
    assert codes >= {"malformed_body", "key_invalid", "not_allowed", "too_large", "invalid_scan", "clock_ahead", "busy"}


# -- plain Python reads every vector ---------------------------------------------------------------------------


def test_the_plain_decoder_is_plain() -> None:
    tree = ast.parse(Path(str(plain_decoder.__file__)).read_text())
    imported = {
        (node.module or "" if isinstance(node, ast.ImportFrom) else alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert imported <= sys.stdlib_module_names


def test_plain_python_makes_the_canonical_ids() -> None:
    for case in vectors("transmitters"):
        made = wifi_id(case["wifi"]["bssid"]) if "wifi" in case else beacon_id(case["beacon"])
        assert (case, made) == (case, case["id"])


def test_plain_python_reads_the_instants() -> None:
    for case in vectors("instants"):
        try:
            made: dict[str, Any] = {"epoch_us": instant_us(case["at"])}
        except RefusedError as refused:
            made = {"code": refused.code}
        assert {"at": case["at"]} | made == case


@pytest.mark.parametrize("case", vectors("scans"), ids=lambda case: case["name"])
def test_plain_python_reads_the_scans(case: dict[str, Any]) -> None:
    try:
        made = read_scan(case["scan"])
    except RefusedError as refused:
        made = {"code": refused.code, "field": refused.field}
    assert {"name": case["name"], "scan": case["scan"]} | made == case


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange["name"])
def test_plain_python_reads_the_answers(exchange: dict[str, Any]) -> None:
    response = exchange["response"]
    content = content_of(response)
    if response["content_type"] == MSGPACK:
        assert plain_decoder.unpack(content) == response["json"]
    if response["content_type"] == "application/problem+json":
        problem = json.loads(content)
        assert problem["status"] == response["status"]
        assert problem["type"].endswith("/" + problem["code"])
        return
    if exchange["request"]["path"] != "/v1/scans":
        return
    got = [answered(answer) for answer in objects(response["content_type"], content)]
    sent = sent_scans(exchange["request"])
    assert [answer.scan_id for answer in got] == [scan.get("scan_id") for scan in sent]
    for scan, answer in zip(sent, got, strict=True):
        assert answer.error_code == code_of(scan)


def sent_scans(request: dict[str, Any]) -> list[Any]:
    """The scans of a request, read by the plain decoder."""
    content = content_of(request)
    if request["headers"].get("Content-Encoding") == "gzip":
        content = gzip.decompress(content)
    return objects(request["headers"]["Content-Type"], content)


def code_of(scan: dict[str, Any]) -> str | None:
    """Why the server refuses a scan, by the page's rules; None where it does not."""
    try:
        read_scan(scan)
    except RefusedError as refused:
        return refused.code
    return None


def test_plain_python_finds_the_coupon_the_walkway_and_the_unknown() -> None:
    def read(name: str) -> list[plain_decoder.Answered]:
        response = BY_NAME[name]["response"]
        return [answered(answer) for answer in objects(response["content_type"], content_of(response))]

    visit = read("a visit and a card with a coupon")
    assert [len(answer.codes) for answer in visit].count(1) == 1
    assert visit[-1].phase == "in_store"
    (walkway,) = read("a scan in a walkway: a place, no store")
    assert (walkway.reason, walkway.store_id) == (None, None)
    (unknown,) = read("radios that nobody knows")
    assert (unknown.reason, unknown.store_id) == ("unknown_radio", None)


@pytest.mark.parametrize(
    ("packed", "value"),
    [
        ("00", 0), ("7f", 127), ("e0", -32), ("ff", -1), ("cc80", 128), ("cdffff", 65_535), ("ceffffffff", 2**32 - 1),
        ("cfffffffffffffffff", 2**64 - 1), ("d080", -128), ("d18000", -32_768), ("d280000000", -(2**31)),
        ("d38000000000000000", -(2**63)), ("c0", None), ("c2", False), ("c3", True), ("ca3fc00000", 1.5),
        ("cb3ff8000000000000", 1.5), ("a0", ""), ("a3e7bab0", "\u7eb0"), ("d901" "61", "a"), ("da0001" "61", "a"),
        ("db00000001" "61", "a"), ("90", []), ("9201c0", [1, None]), ("dc000101", [1]), ("dd0000000101", [1]),
        ("8f" + "".join(f"a1{ord('a') + i:02x}{i:02x}" for i in range(15)), {chr(ord("a") + i): i for i in range(15)}),
        ("9f" + "00" * 15, [0] * 15), ("bf" + "61" * 31, "a" * 31),
        ("80", {}), ("81a16101", {"a": 1}), ("de0001a16101", {"a": 1}), ("df00000001a16101", {"a": 1}),
    ],
)  # fmt: skip
def test_plain_msgpack_reads_every_form_of_the_table(packed: str, value: Any) -> None:
    got = plain_decoder.unpack(bytes.fromhex(packed))
    assert got == value
    assert type(got) is type(value)
