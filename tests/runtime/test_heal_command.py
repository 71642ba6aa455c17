"""``atrium heal`` and ``atrium models`` as their users meet them, and the versions of a model on disk."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fingerprints.scan import LabelledScan
from fingerprints.wire import scan_to_json
from positioning.healing import learned_until
from runtime.demo import VENUE_ID
from runtime.errors import ModelChangedError, NoFormerModelError
from runtime.healing import heal_stored, promote_stored
from runtime.home import open_home
from runtime.locators import Locators
from runtime.model_versions import MOST_KEPT, ModelVersions
from runtime.models import load_model
from runtime.records.learning_samples import store_sample
from runtime.records.tenants import DEFAULT_TENANT
from runtime.survey_files import SurveyFormat, read_survey
from runtime.tag_places import zone_of
from runtime.waiting_scans import WaitingScan
from sim.survey import SURVEY_AT, walk_survey
from sim.world import World
from tests.living_server import copy_home
from tests.runtime.test_cli import atrium


def write(path: Path, scans: list[LabelledScan]) -> Path:
    path.write_text("\n".join(json.dumps(scan_to_json(held.scan, held.truth, held.walk)) for held in scans) + "\n")
    return path


@pytest.fixture(scope="module")
def files(small_world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Confirmed scans of two days, and unlabelled ones of a third."""
    folder = tmp_path_factory.mktemp("healing")

    def hear(day: int, per_store: int) -> list[LabelledScan]:
        return walk_survey(
            small_world.mall,
            small_world.radio,
            np.random.default_rng([8, day]),
            phones=6,
            scans_per_store=per_store,
            corridor_scans_per_level=60,
            graph=small_world.graph,
            starts_at=SURVEY_AT + timedelta(days=30 + day),
            prefix=f"day-{day}-",
        )

    write(folder / "confirmed.ndjson", hear(1, 12) + hear(2, 12))
    write(folder / "unlabelled.ndjson", hear(3, 18))
    return folder


def test_heal_promotes_a_version_and_roll_back_gives_the_former_answers_back(
    prepared_home: Path, files: Path, tmp_path: Path
) -> None:
    home = copy_home(prepared_home, tmp_path / "home")
    unlabelled = str(files / "unlabelled.ndjson")
    words = ("heal", "--venue", "demo", str(files / "confirmed.ndjson"), "--unlabelled", unlabelled)

    def answers() -> bytes:
        return atrium("locate", "--venue", "demo", unlabelled, home=home).stdout

    before = answers()
    told = json.loads(atrium(*words, "--json", home=home).stdout)
    assert told["may_be_promoted"]
    assert not told["promoted"]
    assert told["born"] > 0 and told["dead"] > 0 and told["sure"] > 0 and told["judged"] > 100
    assert set(told["decisions"]) == {"light", "full"}
    assert answers() == before
    assert len(json.loads(atrium("models", "--venue", "demo", "--json", home=home).stdout)) == 1
    shown = atrium(*words, "--promote", home=home)
    assert b"refreshed stores" in shown.stdout
    assert b"--roll-back" in shown.stderr
    assert answers() != before
    versions = json.loads(atrium("models", "--venue", "demo", "--json", home=home).stdout)
    assert [(v["version"], v["kind"], v["replaced"], v["is_live"]) for v in versions] == [
        (1, "trained", None, False),
        (2, "healed", 1, True),
    ]
    assert b"version 1 serves again" in atrium("models", "--venue", "demo", "--roll-back", home=home).stderr
    assert answers() == before
    assert b"nothing to go back to" in atrium("models", "--venue", "demo", "--roll-back", home=home, code=1).stderr


def test_what_tills_confirmed_heals_as_files_do(prepared_home: Path, files: Path, tmp_path: Path) -> None:
    folder = copy_home(prepared_home, tmp_path / "home")
    assert b"found none" in atrium("heal", "--venue", "demo", "--from-tills", home=folder, code=1).stderr
    home = open_home(folder)
    zone = zone_of(home.venues.time_zone(DEFAULT_TENANT, VENUE_ID))
    named = [held for held in read_survey(files / "confirmed.ndjson", SurveyFormat.NDJSON).scans if held.truth.store_id]
    with home.database.write() as connection:
        for number, held in enumerate(named):
            readings = tuple((one.transmitter, round(one.rssi_dbm)) for one in held.scan.readings)
            waiting = WaitingScan(f"smp_{number}", held.scan.at, VENUE_ID, readings, f"maker-{number % 3}")
            store_id, day = held.truth.store_id, held.scan.at.astimezone(zone).date()
            assert store_id is not None
            store_sample(connection, DEFAULT_TENANT, waiting, store_id, day)
    home.database.close()
    told = json.loads(atrium("heal", "--venue", "demo", "--from-tills", "--json", home=folder).stdout)
    assert told["confirmed"] + told["judged"] == len(named)
    assert told["judged"] > 100
    assert told["born"] > 0
    assert told["may_be_promoted"]


def test_labels_that_cannot_be_believed_are_not_promoted(prepared_home: Path, files: Path, tmp_path: Path) -> None:
    home = copy_home(prepared_home, tmp_path / "home")
    lines = [json.loads(line) for line in (files / "confirmed.ndjson").read_text().splitlines()]
    named = [line for line in lines if line["truth"].get("store_id")]
    stores = sorted({line["truth"]["store_id"] for line in named})
    for line in named[::8]:
        line["truth"]["store_id"] = stores[(stores.index(line["truth"]["store_id"]) + 10) % len(stores)]
    bad = tmp_path / "bad.ndjson"
    bad.write_text("\n".join(map(json.dumps, lines)))
    done = atrium("heal", "--venue", "demo", str(bad), "--promote", home=home, code=1)
    assert b"cannot be believed" in done.stdout
    assert b"may not serve" in done.stderr
    assert len(json.loads(atrium("models", "--venue", "demo", "--json", home=home).stdout)) == 1


def test_confirmed_scans_of_one_day_alone_cannot_judge(prepared_home: Path, files: Path, tmp_path: Path) -> None:
    home = copy_home(prepared_home, tmp_path / "home")
    lines = [json.loads(line) for line in (files / "confirmed.ndjson").read_text().splitlines()]
    first_day = min(line["at"][:10] for line in lines)
    one = tmp_path / "one.ndjson"
    one.write_text("\n".join(json.dumps(line) for line in lines if line["at"].startswith(first_day)))
    for words in ((), ("--judge", str(one))):  # its own day does not judge either
        told = json.loads(atrium("heal", "--venue", "demo", str(one), *words, "--json", home=home).stdout)
        assert told["judged"] == 0
        assert not told["may_be_promoted"]
        assert "are needed to judge" in told["decisions"]["light"]["reason"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("heal", "--venue", "none", "CONFIRMED"), 1, "no venue"),
        (("heal", "--venue", "demo", "nowhere.ndjson"), 1, "cannot read"),
        (("heal", "--venue", "demo", "CONFIRMED", "--unlabelled", "nowhere.ndjson"), 1, "cannot read"),
        (("heal", "--venue", "demo"), 2, "CONFIRMED"),
        (("models", "--venue", "none"), 1, "no venue"),
        (("models", "--venue", "demo", "--roll-back"), 1, "nothing to go back to"),
    ],
)
def test_mistakes_get_a_line_and_an_exit_code(
    prepared_home: Path, files: Path, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    home = copy_home(prepared_home, tmp_path / "home")
    named = [str(files / "confirmed.ndjson") if word == "CONFIRMED" else word for word in words]
    assert said in atrium(*named, home=home, code=code).stderr.decode()


def test_a_venue_without_a_model_says_what_to_do(small_world: World, files: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    confirmed = str(files / "confirmed.ndjson")
    atrium("survey", "import", confirmed, "--venue", "bare", "--format", "ndjson", home=home)
    assert b"atrium train --venue bare" in atrium("models", "--venue", "bare", home=home).stdout
    assert b"not trained" in atrium("heal", "--venue", "bare", confirmed, home=home, code=1).stderr


def test_a_running_server_takes_a_rolled_back_model_up(prepared_home: Path, tmp_path: Path) -> None:
    home = open_home(copy_home(prepared_home, tmp_path / "home"))
    path = home.venues.model_path(DEFAULT_TENANT, VENUE_ID)
    first = path.stat().st_mtime_ns
    assert Locators(home.venues).of(DEFAULT_TENANT).venue_ids == (VENUE_ID,)
    home.venues.save_model(DEFAULT_TENANT, VENUE_ID, b"damaged", "healed", "")
    assert Locators(home.venues).of(DEFAULT_TENANT).venue_ids == ()
    home.venues.versions(DEFAULT_TENANT, VENUE_ID).roll_back(len)
    assert Locators(home.venues).of(DEFAULT_TENANT).venue_ids == (VENUE_ID,)
    assert path.stat().st_mtime_ns != first
    home.database.close()


def test_versions_are_bounded_and_the_way_back_is_kept(tmp_path: Path) -> None:
    versions = ModelVersions(tmp_path / "model.npz")
    assert (versions.all(), versions.live()) == ([], None)
    with pytest.raises(NoFormerModelError):
        versions.roll_back(len)
    for n in range(9):
        versions.add(b"model %d" % n, "trained", "")
    assert [v.number for v in versions.all()] == list(range(10 - MOST_KEPT, 10))
    assert len(list((tmp_path / "versions").iterdir())) == 2 * MOST_KEPT
    live = versions.live()
    assert live is not None
    assert (live.number, live.replaced) == (9, 8)
    assert versions.add(b"model 8", "trained", "") == live  # the same once more is no version
    for n in (8, 7, 6, 5):
        assert versions.roll_back(len).number == n
        assert (tmp_path / "model.npz").read_bytes() == b"model %d" % (n - 1)
    with pytest.raises(NoFormerModelError, match="not kept"):
        versions.roll_back(len)
    healed = versions.add(b"another", "healed", "")
    assert healed.replaced == 5
    assert versions.roll_back(len).number == 5  # what was live before it, not the one with the next lower number


def test_a_model_found_without_a_record_can_be_gone_back_to(tmp_path: Path) -> None:
    (tmp_path / "model.npz").write_bytes(b"old")
    versions = ModelVersions(tmp_path / "model.npz")
    versions.add(b"new", "healed", "")
    assert [v.kind for v in versions.all()] == ["found", "healed"]
    versions.roll_back(len)
    assert (tmp_path / "model.npz").read_bytes() == b"old"


def test_a_damaged_former_version_does_not_serve(tmp_path: Path) -> None:
    versions = ModelVersions(tmp_path / "model.npz")
    versions.add(b"one", "trained", "")
    versions.add(b"two", "healed", "")
    (tmp_path / "versions" / "0001.npz").write_bytes(b"onf")
    with pytest.raises(NoFormerModelError, match="damaged"):
        versions.roll_back(len)
    assert (tmp_path / "model.npz").read_bytes() == b"two"


def test_odd_files_among_the_versions_are_not_offered(tmp_path: Path) -> None:
    versions = ModelVersions(tmp_path / "model.npz")
    versions.add(b"one", "trained", "")
    (tmp_path / "versions" / "0002 copy.npz").write_bytes(b"?")
    odd = {"number": "1", "kind": "trained", "sha256": "", "replaced": None, "note": ""}
    (tmp_path / "versions" / "0009.json").write_text(json.dumps(odd))
    assert [version.number for version in versions.all()] == [1]
    assert versions.add(b"two", "trained", "").number == 10


def test_a_version_that_cannot_be_read_does_not_serve_again(prepared_home: Path, files: Path, tmp_path: Path) -> None:
    home = copy_home(prepared_home, tmp_path / "home")
    opened = open_home(home)
    path = opened.venues.model_path(DEFAULT_TENANT, VENUE_ID)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    opened.venues.save_model(DEFAULT_TENANT, VENUE_ID, whole, "trained", "")
    opened.database.close()
    refused = atrium("models", "--venue", "demo", "--roll-back", home=home, code=3)
    assert b"not readable" in refused.stderr
    assert path.read_bytes() == whole


def test_what_was_learned_is_not_learned_again_and_judging_days_teach_nothing(
    prepared_home: Path, files: Path, tmp_path: Path
) -> None:
    home = copy_home(prepared_home, tmp_path / "home")
    confirmed = str(files / "confirmed.ndjson")
    words = ("heal", "--venue", "demo", confirmed, "--unlabelled", confirmed, "--json")
    told = json.loads(atrium(*words, home=home).stdout)
    lines = [json.loads(line) for line in (files / "confirmed.ndjson").read_text().splitlines()]
    last_day = max(line["at"][:10] for line in lines)
    assert told["left_out_of_judging_days"] == sum(line["at"].startswith(last_day) for line in lines)
    atrium(*words, "--promote", home=home)
    opened = open_home(home)
    model = load_model(opened, VENUE_ID)
    opened.database.close()
    confirmed_until, sure_until = learned_until(model)
    assert confirmed_until.isoformat()[:10] == sure_until.isoformat()[:10] < last_day
    doubled = tmp_path / "doubled.ndjson"
    first = [line for line in lines if not line["at"].startswith(last_day)]
    doubled.write_text("\n".join(map(json.dumps, first + first)))
    refused = atrium("heal", "--venue", "demo", str(doubled), home=home, code=1)
    assert f"{2 * len(told_scans(first))} are copies, or no newer".encode() in refused.stderr


def told_scans(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that can be confirmed."""
    return [line for line in lines if line["truth"].get("store_id") and (line["wifi"] or line["beacons"])]


def test_a_candidate_of_a_model_that_serves_no_more_is_not_stored(
    prepared_home: Path, files: Path, tmp_path: Path
) -> None:
    home = open_home(copy_home(prepared_home, tmp_path / "home"))
    confirmed = read_survey(files / "confirmed.ndjson", SurveyFormat.NDJSON).scans
    report = heal_stored(home, VENUE_ID, confirmed, [], None, lambda _what, _share: None)
    assert report.n_judged > 100
    path = home.venues.model_path(DEFAULT_TENANT, VENUE_ID)
    path.write_bytes(b"another")
    with pytest.raises(ModelChangedError):
        promote_stored(home, VENUE_ID, report)
    assert path.read_bytes() == b"another"
    home.database.close()
