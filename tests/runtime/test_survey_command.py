"""``atrium survey report``: what it prints and writes, and the page in a real browser."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from runtime.demo import VENUE_ID
from runtime.home import open_home
from runtime.records.tenants import DEFAULT_TENANT
from sim.export import ndjson_line
from sim.world import World
from tests.find_servers import FLAGS, find_chromium
from tests.living_server import copy_home


def report(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from runtime.cli import main; main()",
            "survey",
            "report",
            "--data-dir",
            str(home),
            *words,
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="module")
def holed_home(prepared_home: Path, small_world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small mall, its survey without the first two stores and without the western third of the corridors."""
    folder = copy_home(prepared_home, tmp_path_factory.mktemp("holed") / "home")
    home = open_home(folder)
    gone = {f"store-{store}-{phone}" for store in (0, 1) for phone in range(3)}
    venue = small_world.mall.venue
    third_m = venue.levels[0].area.bounds[0] + 30.0
    kept = [
        item
        for item in small_world.survey(scans_per_store=12)
        if item.walk not in gone
        and not (
            item.truth.store_id is None and venue.frame.to_xy_m((item.truth.lon_deg, item.truth.lat_deg))[0] < third_m
        )
    ]
    home.venues.save_survey(DEFAULT_TENANT, VENUE_ID, [ndjson_line(item).rstrip() for item in kept])
    home.database.close()
    return folder


@pytest.fixture(scope="module")
def written(holed_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    done = report(holed_home, "--venue", "demo", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "stores_not_surveyed: 2 of 20 stores" in done.stderr
    assert "Where to survey more" in done.stdout
    return out


def test_the_report_is_written_whole_and_says_what_is_missing(written: Path, small_world: World) -> None:
    found = json.loads((written / "report.json").read_text())
    stores = small_world.mall.venue.stores
    assert "stores_not_surveyed" in {warning["code"] for warning in found["warnings"]}
    assert {step["place"] for step in found["next_steps"][:2]} == {store.name for store in stores[:2]}
    assert 0.5 < found["expected"]["all"]["top1"] <= 1.0
    low, high = found["expected"]["all"]["top1_interval"]
    assert low < found["expected"]["all"]["top1"] < high
    assert found["expected"]["top1_all_stores"] < found["expected"]["all"]["top1"]
    by_id = {row["store_id"]: row for row in found["expected"]["stores"]}
    assert by_id[stores[0].id]["expected_top1"] is None
    assert all(
        set(other) == {"store_id", "store_name", "probability"} for row in by_id.values() for other in row["taken_for"]
    )
    assert found["n_scans"] == sum(level["n_scans"] for level in found["levels"])


def test_json_is_the_same_as_the_file_and_nothing_is_stored(written: Path, holed_home: Path) -> None:
    done = report(holed_home, "--venue", "demo", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == json.loads((written / "report.json").read_text())
    home = open_home(holed_home)
    assert not home.venues.model_path(DEFAULT_TENANT, VENUE_ID).exists()
    home.database.close()


def test_what_cannot_be_reported_is_refused_in_a_line(holed_home: Path) -> None:
    unknown = report(holed_home, "--venue", "nosuch")
    assert (unknown.returncode, "unknown_venue" in unknown.stderr) == (1, True)
    blocked = report(holed_home, "--venue", "demo", "--out", "/dev/null/x")
    assert (blocked.returncode, "cannot write" in blocked.stderr, "Traceback" in blocked.stderr) == (1, True, False)


@pytest.mark.browser
@pytest.mark.parametrize("width", [1200, 390])
def test_the_page_opens_without_an_error_and_fits_the_screen(written: Path, small_world: World, width: int) -> None:
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
        page.goto((written / "report.html").as_uri())
        assert page.inner_text("h1").startswith(small_world.mall.venue.name)
        assert page.locator("figure svg:visible").count() == len(small_world.mall.venue.levels)
        assert page.locator(".tile").count() == 6
        assert "2 of 20 stores have no scan inside" in page.inner_text("body")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        scales = page.locator("figure svg:visible").evaluate_all(
            "all => all.map(svg => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)"
        )
        assert min(scales) >= 1.25  # the pictures' text is of 9 points: 11 pixels and more
        assert faults == []
        browser.close()
