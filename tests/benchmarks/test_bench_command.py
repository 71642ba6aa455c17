"""``atrium bench positioning`` as its users meet it: the table, the example of the docs, clear refusals."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from runtime.cli.app import app

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "250")


def bench(*words: object, code: int = 0) -> Result:
    done = CliRunner().invoke(app, ["bench", *map(str, words)])
    assert done.exit_code == code, (done.output, done.exception)
    return done


def test_one_table_with_intervals_and_paired_differences(labelled_file: Path, prepared_home: Path) -> None:
    words = (labelled_file, "--venue", "demo", "--methods", "nb-offset", "--data-dir", prepared_home)
    told = bench("positioning", *words, "--markdown").stdout.splitlines()
    assert re.fullmatch(r"\*\*survey\.ndjson: \d+ survey scans of \d+ walks, \d+ test scans of \d+ walks\*\*", told[0])
    assert told[2].startswith("| method | top-1 % | vs wknn-sorensen | top-3 % | level % | vs wknn-sorensen | mean m |")
    reference, bayes = ([cell.strip() for cell in line.split("|")[1:-1]] for line in told[4:6])
    assert (reference[0], bayes[0]) == ("wknn-sorensen", "nb-offset")
    assert re.fullmatch(r"\d+\.\d \[\d+\.\d, \d+\.\d\]", reference[1])
    assert reference[2] == ""
    assert re.fullmatch(r"[+-]\d+\.\d \[[+-]\d+\.\d, [+-]\d+\.\d\]", bayes[2])
    assert bayes[told[2].split(" | ").index("mean m")] == ""
    shown = bench("positioning", *words).stdout
    assert "nb-offset" in shown
    assert "µs/scan" in shown


def test_a_narrow_terminal_gets_tables_below_each_other(
    labelled_file: Path, prepared_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 80 columns no cell is broken: each table begins with the methods, and no line is longer."""
    monkeypatch.setattr("runtime.cli.terminal.out.width", 80)
    words = (labelled_file, "--venue", "demo", "--methods", "nb-offset", "--data-dir", prepared_home)
    lines = bench("positioning", *words).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert (
        sum(line.startswith("│ nb-offset") for line in lines) == sum(line.startswith("│ wknn-") for line in lines) > 2
    )
    assert any(re.search(r"\d+\.\d \[\d+\.\d, \d+\.\d\] *│", line) for line in lines)


def test_json_has_every_figure_and_null_for_none(labelled_file: Path) -> None:
    told = json.loads(bench("positioning", labelled_file, "--methods", "forest", "--seeds", "4,5", "--json").stdout)
    assert {"split", "n_survey_scans", "n_test_scans", "n_test_walks", "reference", "seeds", "notes"} <= set(told)
    reference, forest = told["methods"]
    assert (reference["method"], reference["seeds"], forest["seeds"]) == ("wknn-sorensen", None, [4, 5])
    assert forest["error_m_mean"] is None
    assert forest["building_percent"] is None
    assert forest["n"] == told["n_test_scans"]
    low, high = forest["interval"]["store_top1_percent"]
    assert low <= forest["store_top1_percent"] <= high
    assert forest["vs_reference"]["store_top1_percent"]["mean"] == pytest.approx(
        forest["store_top1_percent"] - reference["store_top1_percent"]
    )


def test_the_example_of_the_docs_runs_and_is_short(labelled_file: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "research-bench.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert len(re.findall(r"\S.*\n", example[example.index("class") :])) <= 30
    mine = tmp_path / "strongest.py"
    mine.write_text(example)
    told = json.loads(bench("positioning", labelled_file, "--methods", f"{mine}:Strongest", "--json").stdout)
    reference, strongest = told["methods"]
    assert strongest["method"] == "strongest"
    assert 20.0 < strongest["store_top1_percent"] < reference["store_top1_percent"]  # 20 stores: chance is 5 %


def test_a_test_file_of_its_own(labelled_file: Path, tmp_path: Path) -> None:
    lines = labelled_file.read_text().splitlines(keepends=True)
    walks = [json.loads(line)["truth"]["walk"] for line in lines]
    is_later = [walk.endswith("2") for walk in walks]
    one, other = tmp_path / "one.ndjson", tmp_path / "other.ndjson"
    one.write_text("".join(line for line, later in zip(lines, is_later, strict=True) if not later))
    other.write_text("".join(line for line, later in zip(lines, is_later, strict=True) if later))
    told = json.loads(bench("positioning", one, "--test", other, "--methods", "1nn-euclid", "--json").stdout)
    assert told["split"] == "survey one.ndjson, test other.ndjson"
    assert told["n_test_scans"] == sum(is_later)
    refused = bench("positioning", labelled_file, "--test", other, code=1)
    assert "walks, such as" in refused.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "needs a labelled file"),
        (("nowhere.ndjson",), "cannot read nowhere.ndjson"),
        (("FILE", "--methods", "wifi-magic"), "no method 'wifi-magic'; there are wknn-sorensen, light, 1nn-euclid,"),
        (("FILE", "--methods", "none.py:Mine"), "none.py is not a Python file"),
        (("FILE", "--methods", "benchmarks/positioning/splits.py:Mine"), "has no class 'Mine'"),
        (("FILE", "--methods", "benchmarks/positioning/splits.py:Split"), "lacks name, has_chance, fit, answer"),
        (("FILE", "--seeds", "1,x"), "--seeds: expected whole numbers"),
        (("FILE", "--json", "--markdown"), "exclude each other"),
        (("FILE", "--venue", "none"), "no venue 'none'"),
        (("NAMELESS",), "scans name no walk"),
        (("UNLABELLED",), "truth: a labelled scan needs it"),
        (("SHORT",), "too few scans"),
    ],
)
def test_mistakes_get_a_line_and_an_exit_code(
    labelled_file: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    scans = [json.loads(line) for line in labelled_file.read_text().splitlines()[:40]]
    nameless = [{**scan, "device_id": None, "truth": {**scan["truth"], "walk": None}} for scan in scans]
    unlabelled = [{key: value for key, value in scan.items() if key != "truth"} for scan in scans]
    files = {"FILE": labelled_file}
    for name, some in (("NAMELESS", nameless), ("UNLABELLED", unlabelled), ("SHORT", scans[:5])):
        files[name] = tmp_path / f"{name}.ndjson"
        files[name].write_text("".join(json.dumps(scan) + "\n" for scan in some))
    told = [str(files.get(word, word)) for word in words]
    done = bench("positioning", *told, "--data-dir", tmp_path / "home", code=1)
    assert said in done.stderr.replace("\n", " ")


def test_options_of_one_benchmark_are_refused_by_another(labelled_file: Path) -> None:
    assert "takes no file" in bench("locate", labelled_file, code=1).stderr
    assert "there are locate, track, positioning" in bench("nothing", code=1).stderr
