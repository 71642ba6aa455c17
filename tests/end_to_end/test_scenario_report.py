"""A scenario from the command line: its files, its refusals, and its report in a real browser."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.find_servers import FLAGS, find_chromium

SCENARIO = """
name = "two-hours"
title = "Two hours & a <half>"
seed = 3
[mall]
n_levels = 1
closes_hour = 12
[survey]
scans_per_store = 12
[crowd]
phones_per_day = 12
[[campaigns]]
name = "at the door"
store = 1
budget = 5
"""


KEYS = ("--device-key", "d", "--cashier-key", "c", "--marketer-key", "m")


def sim_run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from runtime.cli import main; main()", "sim", "run", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("scenario")
    (made / "two-hours.toml").write_text(SCENARIO)
    done = sim_run(made, "two-hours.toml", "--out", "out")
    assert done.returncode == 0, done.stderr
    assert "Two hours & a <half>" in done.stdout
    return made


def test_a_run_writes_what_was_true_and_what_was_said(folder: Path) -> None:
    out = folder / "out"
    figures = json.loads((out / "figures.json").read_text())
    scans = [json.loads(line) for line in (out / "scans.ndjson").read_text().splitlines()]
    assert figures["scans"] == len(scans) > 300
    assert figures["cards"]["campaigns"][0]["given_by_mall"][0] <= 5
    assert (out / "scenario.toml").read_text() == SCENARIO
    assert {path.name for path in out.iterdir()} >= {"report.html", "true-visits.ndjson", "said-visits.ndjson"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nosuch",), "ordinary-day"),
        (("nosuch.toml",), "cannot read"),
        (("bad.toml",), "mall.n_level"),
        (("far.toml",), "stores 0 to"),
        (("out",), "out is a folder"),
        (("two-hours.toml", "--out", "bad.toml"), "cannot write to bad.toml"),
        (("two-hours.toml", "--http", "--workers", "2"), "leave it out"),
        (("two-hours.toml", "--url", "http://127.0.0.1:9"), "--device-key"),
        (("peak-day", "--url", "http://127.0.0.1:9", *KEYS), "one server plays one mall"),
    ],
)
def test_what_cannot_be_run_is_refused_in_a_line(folder: Path, words: tuple[str, ...], told: str) -> None:
    (folder / "bad.toml").write_text('name = "x"\n[mall]\nn_level = 1\n')
    (folder / "far.toml").write_text(SCENARIO.replace("\nstore = 1\n", "\nstore = 900\n"))
    done = sim_run(folder, *words)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("width", [1200, 390])
def test_the_report_opens_without_an_error_and_fits_the_screen(folder: Path, width: int) -> None:
    chromium = find_chromium()
    if chromium is None:
        assert os.environ.get("CI") != "true", "no Chromium"
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
        faults: list[str] = []
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith("file:") else faults.append(request.url))
        page.goto((folder / "out" / "report.html").as_uri())
        assert page.inner_text("h1") == "Two hours & a <half>"
        assert page.locator("figure svg").count() >= 3
        assert page.locator(".tile").count() >= 6
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        scales = page.locator("figure svg:visible").evaluate_all(
            "all => all.map(svg => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)"
        )
        assert len(scales) >= 3
        assert min(scales) >= 1.25  # the pictures' text is of 9 points: 11 pixels and more
        assert faults == []
        browser.close()
