"""``atrium sim``: sets with a card beside them that makes the same set again."""

import hashlib
import json
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.cli.sim import MallPreset, RadioPreset
from sim.layout import MallSpec
from sim.presets import MALLS, RADIOS
from sim.scenario import parse_scenario
from sim.world import draw_mall
from tests.imdf_rules import broken_rules
from venues.imdf import read_archive, write_archive


def atrium_sim(folder: Path, *words: str, code: int = 0) -> str:
    """Run ``atrium sim`` in a folder; standard error."""
    return atrium(folder, "sim", *words, code=code)


def atrium(folder: Path, *words: str, code: int = 0) -> str:
    """Run ``atrium`` in a folder; standard error."""
    done = subprocess.run(
        [sys.executable, "-c", "from runtime.cli import main; main()", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_card_stands_beside_a_survey_and_its_command_makes_the_same_file(tmp_path: Path) -> None:
    options = ("--phones", "2", "--scans-per-store", "2", "--date", "2026-05-01", "--seed", "3")
    atrium_sim(tmp_path, "export-survey", "survey.ndjson", *options)
    data = (tmp_path / "survey.ndjson").read_bytes()
    card = json.loads((tmp_path / "survey.ndjson.card.json").read_text())
    assert card["file"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert card["file"]["sha256"] in (tmp_path / "survey.ndjson.card.md").read_text()
    assert card["dates"]["this_file"] == "2026-05-01"
    assert card["counts"]["phones"] == 2
    other = tmp_path / "other"
    other.mkdir()
    program, group, *words = shlex.split(card["made_by"]["command"])
    assert (program, group) == ("atrium", "sim")
    atrium_sim(other, *words)
    for path in sorted(tmp_path.glob("survey*")):
        assert (other / path.name).read_bytes() == path.read_bytes()


def test_shoppers_scans_can_be_of_the_fitted_radio(tmp_path: Path) -> None:
    atrium_sim(tmp_path, "export-scans", "day.ndjson", "--shoppers", "2", "--radio", "xixi", "--date", "2026-03-02")
    card = json.loads((tmp_path / "day.ndjson.card.json").read_text())
    assert card["radio"]["preset"] == "xixi"
    assert card["radio"]["constants"]["floor_db"] == RADIOS["xixi"].floor_db
    assert card["dates"]["radios_aged_times"] == 0
    assert card["counts"]["scans"] == len((tmp_path / "day.ndjson").read_bytes().splitlines())


def test_a_date_without_the_mall_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    for command in ("export-survey", "export-scans"):
        said = atrium_sim(tmp_path, command, "a.ndjson", "--date", "2020-01-01", code=1)
        assert "expected a date from 2026-03-02" in said
    assert list(tmp_path.iterdir()) == []


def test_each_preset_has_a_name_on_the_command_line() -> None:
    assert {preset.value for preset in MallPreset} == set(MALLS)
    assert {preset.value for preset in RadioPreset} == set(RADIOS)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the map of a mall of one level without its doors, as venue ``bare``."""
    folder = tmp_path_factory.mktemp("imported")
    mall = draw_mall(2, MallSpec(n_levels=1, width_m=78, depth_m=52)).archive
    bare = replace(mall, features={kind: found for kind, found in mall.features.items() if kind != "opening"})
    (folder / "bare.zip").write_bytes(write_archive(bare))
    words = ["venue", "import", "bare.zip", "--format", "imdf", "--id", "bare", "--data-dir", "home"]
    atrium(folder, *words)
    return folder


def test_an_imported_venue_is_exported_with_the_doors_that_walking_it_takes(home: Path) -> None:
    said = atrium_sim(home, "export-venue", "walked.zip", "--venue", "bare", "--data-dir", "home")
    found = re.search(r"added (\d+) doors, 0 stairs and (\d+) entrances", said)
    assert found is not None, said
    archive = read_archive((home / "walked.zip").read_bytes()).archive
    n_stores = len(archive.of("occupant"))
    assert len(archive.of("opening")) == int(found[1]) + int(found[2]) >= n_stores + 1
    assert broken_rules(archive) == []
    assert n_stores == len(read_archive((home / "bare.zip").read_bytes()).archive.of("occupant"))


def test_sets_of_an_imported_venue_say_so_and_their_command_makes_them_again(home: Path) -> None:
    options = ("--venue", "bare", "--data-dir", "home", "--scans-per-store", "2", "--phones", "1")
    atrium_sim(home, "export-survey", "survey.ndjson", *options)
    card = json.loads((home / "survey.ndjson.card.json").read_text())
    assert "--venue bare" in card["made_by"]["command"]
    assert "--mall" not in card["made_by"]["command"]
    assert card["mall"]["preset"] == "imported"
    assert card["mall"]["constants"]["doors"] > 15
    assert card["counts"]["stores_with_scans"] == card["counts"]["stores"]
    data = (home / "survey.ndjson").read_bytes()
    _, _, *words = shlex.split(card["made_by"]["command"])
    atrium_sim(home, *words, "--data-dir", "home")
    assert (home / "survey.ndjson").read_bytes() == data
    atrium_sim(home, "export-scans", "day.ndjson", "--venue", "bare", "--data-dir", "home", "--shoppers", "2")
    stores = {json.loads(line)["truth"].get("store_id") for line in (home / "day.ndjson").read_text().splitlines()}
    known = {f"st_{one['id']}" for one in read_archive((home / "bare.zip").read_bytes()).archive.of("occupant")}
    assert stores - {None} <= known
    assert len(stores) > 2


def test_a_scenario_is_played_on_an_imported_venue(home: Path) -> None:
    short = 'name = "short"\nseed = 3\n[mall]\ncloses_hour = 12\n[survey]\nscans_per_store = 6\n[crowd]\n'
    (home / "short.toml").write_text(f"{short}phones_per_day = 6\n")
    atrium_sim(home, "run", "short.toml", "--venue", "bare", "--data-dir", "home", "--out", "out")
    told = (home / "out" / "scenario.toml").read_text()
    assert parse_scenario(told).imported == "bare"
    assert parse_scenario(told).mall.closes_hour == 12
    assert parse_scenario(told).crowd.phones_per_day == 6
    figures = json.loads((home / "out" / "figures.json").read_text())
    assert figures["scans"] > 200
    atrium_sim(home, "run", "out/scenario.toml", "--data-dir", "home", "--out", "again")
    assert (home / "again" / "figures.json").read_bytes() == (home / "out" / "figures.json").read_bytes()


@pytest.mark.parametrize("command", ["run", "export-venue", "export-survey", "export-scans"])
def test_a_venue_that_is_not_there_is_refused_by_name(home: Path, command: str) -> None:
    what = "ordinary-day" if command == "run" else "out.any"
    said = atrium_sim(home, command, what, "--venue", "nosuch", "--data-dir", "home", code=1)
    assert "no venue 'nosuch'" in said
    assert not (home / "out.any").exists()
