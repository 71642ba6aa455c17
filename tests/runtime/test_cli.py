"""Commands as their users meet them: exit codes, clear errors, nothing stored by halves."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fingerprints.wire import scan_to_json
from sim.world import World
from tests.living_server import SCANS_PER_STORE, copy_home, stay
from venues.imdf import write_archive


def atrium(*words: str, home: Path, stdin: bytes = b"", code: int = 0) -> subprocess.CompletedProcess[bytes]:
    """Run ``atrium``; its exit code must be ``code``, and no traceback may be shown."""
    done = subprocess.run(
        [sys.executable, "-c", "from runtime.cli import main; main()", *words],
        input=stdin,
        capture_output=True,
        env={**os.environ, "ATRIUM_DATA_DIR": str(home), "NO_COLOR": "1", "COLUMNS": "200"},
        timeout=240,
        check=False,
    )
    said = done.stderr.decode()
    assert done.returncode == code, (words, done.returncode, said, done.stdout[-2000:])
    assert "Traceback" not in said
    return done


@pytest.fixture(scope="module")
def files(small_world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A map and a survey as files."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "mall.zip").write_bytes(write_archive(small_world.mall.archive))
    survey = small_world.survey(scans_per_store=SCANS_PER_STORE)
    lines = [json.dumps(scan_to_json(held.scan, held.truth, held.walk)) for held in survey]
    (folder / "survey.ndjson").write_text("\n".join(lines) + "\n")
    return folder


def test_from_a_map_and_a_survey_to_answers(files: Path, tmp_path: Path, small_world: World) -> None:
    home = tmp_path / "home"
    assert b"No venue yet" in atrium("venue", "list", home=home).stdout
    atrium("venue", "import", str(files / "mall.zip"), "--format", "imdf", "--id", "mall", home=home)
    early = atrium("train", "--venue", "mall", home=home, code=1)
    assert b"has no survey" in early.stderr
    atrium("survey", "import", str(files / "survey.ndjson"), "--venue", "mall", "--format", "ndjson", home=home)
    untrained = atrium("evaluate", "--venue", "mall", str(files / "survey.ndjson"), home=home, code=1)
    assert b"is not trained" in untrained.stderr
    quality = json.loads(atrium("train", "--venue", "mall", "--json", home=home).stdout)
    assert quality["floor_percent"] > 99
    (venue,) = json.loads(atrium("venue", "list", "--json", home=home).stdout)
    assert venue == {
        "id": "mall",
        "name": small_world.mall.venue.name,
        "levels": 1,
        "stores": len(small_world.mall.venue.stores),
        "time_zone": "Asia/Shanghai",
        "surveyed": True,
        "trained": True,
    }
    store = small_world.mall.venue.stores[0].id
    scans = stay(small_world, store, "d-1", n=3)
    lines = [json.dumps(scan) for scan in scans]
    lines.insert(1, '{"at": "yesterday"}')
    found = atrium("locate", "--venue", "mall", home=home, stdin="\n".join(lines).encode(), code=1)
    answers = [json.loads(line) for line in found.stdout.splitlines()]
    assert [answer["scan_id"] for answer in answers] == ["s-0", None, "s-1", "s-2"]
    assert answers[0]["position"]["candidates"][0]["store_id"] == store
    assert answers[1]["error"]["field"] == "at"
    report = json.loads(atrium("survey", "report", "--venue", "mall", "--json", home=home).stdout)
    assert report
    exported = tmp_path / "out.zip"
    atrium("venue", "export", "mall", str(exported), home=home)
    assert exported.read_bytes() == (files / "mall.zip").read_bytes()


def test_evaluate_has_the_contracts_keys(prepared_home: Path, files: Path, tmp_path: Path) -> None:
    home = copy_home(prepared_home, tmp_path / "home")
    some = tmp_path / "some.ndjson"
    some.write_text("\n".join((files / "survey.ndjson").read_text().splitlines()[:150]))
    told: dict[str, Any] = json.loads(atrium("evaluate", "--venue", "demo", str(some), "--json", home=home).stdout)
    keys = {
        "n", "floor_percent", "building_percent", "error_m", "error_units", "front", "inside", "recall20", "ece",
        "ece_n", "brier", "log_loss", "risk_coverage",
        "set_coverage", "set_size", "accuracy_coverage", "interval", "ranker", "baseline",
    }  # fmt: skip
    assert keys <= set(told)
    assert set(told["error_m"]) == {"mean", "p50", "p75", "p95"}
    assert set(told["front"]) == {"top1", "top3"}
    assert {"n", "error_m", "front"} <= set(told["baseline"])
    assert "tracked" not in told


def test_evaluate_tells_what_each_tracked_answer_saw(prepared_home: Path, files: Path, tmp_path: Path) -> None:
    home = copy_home(prepared_home, tmp_path / "home")
    some = tmp_path / "some.ndjson"
    some.write_text("\n".join((files / "survey.ndjson").read_text().splitlines()[:150]))
    words = ("evaluate", "--venue", "demo", str(some), "--causal", "--lag", "30", "--whole-walk")
    told: dict[str, Any] = json.loads(atrium(*words, "--json", home=home).stdout)
    assert [(one["seen"], one["is_causal"]) for one in told["tracked"]] == [
        ("causal", True),
        ("lag 30 s", False),
        ("whole walk", False),
    ]
    causal = told["tracked"][0]
    assert causal["error_m"]["mean"] - told["error_m"]["mean"] == pytest.approx(causal["gain"]["error_m_mean"])
    low, high = causal["gain"]["error_m_interval"]
    assert low <= causal["gain"]["error_m_mean"] <= high
    shown = atrium(*words, home=home).stdout.decode()
    assert shown.count("(not causal)") == 2
    assert shown.count("gain error_m_mean") == 3


def test_replay_answers_by_the_scan_alone_where_it_is_told_to(
    prepared_home: Path, small_world: World, tmp_path: Path
) -> None:
    home = copy_home(prepared_home, tmp_path / "home")
    scans = tmp_path / "scans.ndjson"
    store = small_world.mall.venue.stores[0]
    scans.write_text("\n".join(json.dumps(s) for s in stay(small_world, store.id, "a", n=5)))

    def places(*words: str) -> list[Any]:
        out = tmp_path / "out"
        atrium("replay", "--venue", "demo", str(scans), "--out", str(out), *words, home=home)
        return [json.loads(line)["position"] for line in (out / "replies.ndjson").read_text().splitlines()]

    alone = [
        json.loads(line)["position"]
        for line in atrium("locate", "--venue", "demo", str(scans), home=home).stdout.splitlines()
    ]
    assert places("--no-track") == alone
    assert places() != alone
    assert places("--consent", "analytics") == alone


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("venue", "import", "nowhere.zip", "--format", "imdf"), 1, "cannot read"),
        (("venue", "import", ".", "--format", "xyz10", "--id", "Bad Id"), 1, "venue id"),
        (("venue", "import", "x", "--format", "pdf"), 2, "pdf"),
        (("venue", "export", "none", "x.zip"), 1, "no venue"),
        (("survey", "import", "nowhere", "--venue", "v", "--format", "ndjson"), 1, "cannot read"),
        (("survey", "report", "--venue", "none"), 1, "no venue"),
        (("train", "--venue", "none"), 1, "no venue"),
        (("train",), 2, "--venue"),
        (("locate", "--venue", "none"), 1, "no venue"),
        (("replay", "--venue", "none"), 1, "no venue"),
        (("keys", "create", "--role", "king"), 2, "king"),
        (("keys", "create", "--role", "device", "--tenant", "none"), 1, "no tenant"),
        (("tenant", "set", "none", "--region", "RU"), 1, "no tenant"),
        (("tenant", "set", "default", "--region", "xx"), 1, "no country"),
        (("serve", "--workers", "2"), 1, "--workers"),
        (("serve", "--port", "99999"), 2, "--port"),
        (("bench", "none"), 1, "no benchmark"),
        (("frobnicate",), 2, "frobnicate"),
    ],
)
def test_mistakes_get_a_line_and_an_exit_code(tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = atrium(*words, home=tmp_path / "home", code=code)
    assert said in done.stderr.decode()


@pytest.mark.parametrize("words", [("locate",), ("replay",), ("evaluate", "empty.ndjson")])
@pytest.mark.parametrize("stdin", [b"", b"\n \n"])
def test_no_scan_at_all_is_an_error_and_not_an_empty_answer(
    prepared_home: Path, tmp_path: Path, words: tuple[str, ...], stdin: bytes
) -> None:
    home = copy_home(prepared_home, tmp_path / "home")
    (tmp_path / "empty.ndjson").write_bytes(stdin)
    command, *rest = words
    paths = [str(tmp_path / name) for name in rest]
    done = atrium(command, "--venue", "demo", *paths, home=home, stdin=stdin, code=1)
    assert b"scan" in done.stderr
    assert done.stdout == b""


def test_a_damaged_map_leaves_the_old_one(prepared_home: Path, files: Path, tmp_path: Path) -> None:
    home = copy_home(prepared_home, tmp_path / "home")
    broken = tmp_path / "broken.zip"
    broken.write_bytes((files / "mall.zip").read_bytes()[:-100])
    refused = atrium("venue", "import", str(broken), "--format", "imdf", "--id", "demo", home=home, code=1)
    assert b"not_a_zip" in refused.stderr
    assert atrium("venue", "export", "demo", str(tmp_path / "same.zip"), home=home)
    assert (tmp_path / "same.zip").read_bytes() == (files / "mall.zip").read_bytes()


def test_a_bad_survey_line_is_told_and_a_file_without_a_good_one_fails(files: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    good = (files / "survey.ndjson").read_text().splitlines()[:5]
    mixed = tmp_path / "mixed.ndjson"
    mixed.write_bytes("\n".join([*good[:2], "{", *good[2:]]).encode() + b"\n\xff\xfe\n")
    done = atrium("survey", "import", str(mixed), "--venue", "bare", "--format", "ndjson", home=home)
    assert b"mixed.ndjson:3" in done.stderr
    assert b"mixed.ndjson:7" in done.stderr
    assert b"without polygons" in done.stderr
    mixed.write_text("{\n[]\n")
    atrium("survey", "import", str(mixed), "--venue", "bare2", "--format", "ndjson", home=home, code=1)
    assert [v["id"] for v in json.loads(atrium("venue", "list", "--json", home=home).stdout)] == ["bare"]


def test_replay_tells_what_would_have_happened_and_stores_nothing(
    prepared_home: Path, small_world: World, tmp_path: Path
) -> None:
    home = copy_home(prepared_home, tmp_path / "home")
    before = (home / "atrium.db").read_bytes()
    store = small_world.mall.venue.stores[0]
    scans = tmp_path / "scans.ndjson"
    scans.write_text("\n".join(json.dumps(s) for name in "ab" for s in stay(small_world, store.id, name, n=5)))
    campaigns = tmp_path / "campaigns.json"
    campaigns.write_text(
        json.dumps(
            {
                "name": "Hello",
                "target": {"kind": "store", "name": store.name},
                "trigger": {"on": "enter", "min_confidence": 0.3, "min_margin": 0},
                "starts_at": "2026-01-01T00:00:00Z",
                "ends_at": "2027-01-01T00:00:00Z",
                "budget": 1,
                "card": {"title": "Hello"},
                "offer": {"kind": "gift", "valid_s": 600},
            }
        )
    )
    words = ("replay", "--venue", "demo", str(scans), "--campaigns", str(campaigns), "--json")
    plain = json.loads(atrium(*words, home=home).stdout)
    assert plain["visits"]["store"] == {"counted": 0, "not_counted": 2}
    assert "no store visit counted: the longest of 2 stays was 40 s" in plain["notes"][0]
    assert (plain["cards"], plain["coupons"], plain["suppressed"]) == (1, 1, {"budget_spent": 1})
    rules = tmp_path / "rules.toml"
    rules.write_text("k = 3\nn = 5\nmin_dwell_s = 10\n")
    out = tmp_path / "out"
    loose = json.loads(atrium(*words, "--rules", str(rules), "--out", str(out), home=home).stdout)
    assert loose["store_visits"] == {store.name: 2}
    assert {path.name: len(path.read_text().splitlines()) for path in out.glob("*.ndjson")}["replies.ndjson"] == 10
    (given, held) = [json.loads(line) for line in (out / "deliveries.ndjson").read_text().splitlines()]
    assert (given["delivered"], held["delivered"]) == (True, False)
    assert given["explanation"]
    assert given["coupon"]["code"]
    nobody = json.loads(atrium(*words, "--consent", "analytics", home=home).stdout)
    assert nobody["visits"]["venue"] == {"counted": 0, "not_counted": 0}
    assert (home / "atrium.db").read_bytes() == before
    atrium(*words, "--commit", home=home)
    again = atrium(*words, "--commit", home=home, code=1)
    assert b"committed before" in again.stderr
    good = json.loads(campaigns.read_text())
    for change, said in (({"target": {"kind": "store", "name": "Nobody"}}, "0 stores"), ({"bugdet": 1}, "bugdet")):
        campaigns.write_text(json.dumps(good | change))
        assert said in atrium(*words, home=home, code=1).stderr.decode()


def test_keys_are_shown_once_and_kept_as_hashes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    key = atrium("keys", "create", "--role", "device", home=home).stdout.decode().strip()
    assert key.startswith("AIza")
    held = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert key.encode() not in held
    assert (home / "secret.key").stat().st_mode & 0o077 == 0
