"""``atrium sim``: sets with a card beside them that makes the same set again."""

import hashlib
import json
import shlex
import subprocess
import sys
from pathlib import Path

from runtime.cli.sim import MallPreset, RadioPreset
from sim.presets import MALLS, RADIOS


def atrium_sim(folder: Path, *words: str, code: int = 0) -> str:
    """Run ``atrium sim`` in a folder; standard error."""
    done = subprocess.run(
        [sys.executable, "-c", "from runtime.cli import main; main()", "sim", *words],
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
