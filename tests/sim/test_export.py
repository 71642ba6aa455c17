"""Exports: phones that surveys and shoppers never share, dates that mean something, cards that say what is there."""

import hashlib
import json
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from fingerprints.scan import LabelledScan
from fingerprints.wire import decode_json, to_labelled_scan
from sim.card import Recipe, Tally, make_card
from sim.card_text import card_to_markdown
from sim.dates import FIRST_DAY, SURVEY_DAY
from sim.export import Export, export_shoppers, export_survey, ndjson_line
from sim.presets import XIXI
from sim.world import World

LATER = FIRST_DAY + timedelta(days=100)
RECIPE = Recipe("atrium sim export-survey a.ndjson", "9.9", "standard", "standard")


def receivers(export: Export) -> set[tuple[float, float, float]]:
    return {(phone.offset_db, phone.gain, phone.sensitivity_dbm) for phone in export.phones.values()}


def written(world: World, export: Export) -> tuple[bytes, dict[str, Any]]:
    """The file and its card, as the command makes them."""
    tally, lines = Tally(), []
    for item in export.scans:
        lines.append(ndjson_line(item))
        tally.add(item, lines[-1])
    return b"".join(lines), make_card(world, export, tally, RECIPE, "a.ndjson")


@pytest.fixture(scope="module")
def survey(small_world: World) -> tuple[bytes, dict[str, Any]]:
    return written(small_world, export_survey(small_world, phones=2, scans_per_store=4))


@pytest.fixture(scope="module")
def day(small_world: World) -> tuple[bytes, dict[str, Any]]:
    return written(small_world, export_shoppers(small_world, n_shoppers=4, on=LATER))


def read(data: bytes) -> list[LabelledScan]:
    return [to_labelled_scan(decode_json(line)) for line in data.splitlines()]


def test_no_shopper_has_a_survey_phone_and_who_comes_again_brings_the_same(small_world: World) -> None:
    sets = [export_shoppers(small_world, n_shoppers=40, on=on) for on in (SURVEY_DAY, FIRST_DAY, LATER)]
    survey = export_survey(small_world, phones=40, scans_per_store=1)
    assert not receivers(survey) & set[object]().union(*map(receivers, sets))
    phones: dict[str, object] = {}
    for made in sets:
        for name, phone in made.phones.items():
            assert phones.setdefault(name, phone) == phone
    assert 40 < len(phones) < 120


def test_the_same_phones_survey_on_a_later_date_on_other_walks(small_world: World) -> None:
    first, later = (export_survey(small_world, phones=2, scans_per_store=8, on=on) for on in (SURVEY_DAY, LATER))
    assert first.phones == later.phones
    first_scans, later_scans = list(first.scans), list(later.scans)
    assert {item.scan.device_id for item in first_scans} == {item.scan.device_id for item in later_scans}
    assert not {item.walk for item in first_scans} & {item.walk for item in later_scans}
    assert not {item.scan.scan_id for item in first_scans} & {item.scan.scan_id for item in later_scans}
    assert {item.scan.at.date() for item in later_scans} == {LATER}
    ways = [way_of_walks(scans) for scans in (first_scans, later_scans)]
    assert len(ways[0] & ways[1]) < 0.1 * len(ways[0])


def way_of_walks(scans: list[LabelledScan]) -> set[tuple[tuple[float, float], ...]]:
    """The places of each walk that scans more than once, in order: one place alone is soon stood on again."""
    places: dict[str | None, list[tuple[float, float]]] = {}
    for item in scans:
        places.setdefault(item.walk, []).append((item.truth.lat_deg, item.truth.lon_deg))
    return {tuple(way) for way in places.values() if len(way) > 1}


@pytest.mark.parametrize("on", [SURVEY_DAY, LATER])
def test_the_phones_of_a_card_are_those_that_surveyed(small_world: World, on: date) -> None:
    """Weak readings end at each phone's own sensitivity: the card's phones are the ones that heard."""
    export = export_survey(small_world, phones=3, scans_per_store=30, on=on)
    weakest: dict[str, float] = {}
    for item in export.scans:
        name = str(item.scan.device_id)
        known = [r.rssi_dbm for r in item.scan.readings if r.transmitter in set(export.radio.transmitters.ids)]
        weakest[name] = min([weakest.get(name, 0.0), *known])
    assert len(weakest) == 3
    for name, phone in export.phones.items():
        assert phone.sensitivity_dbm - 0.5 <= weakest[name] <= phone.sensitivity_dbm + 1.0


@pytest.mark.parametrize(("on", "named"), [(SURVEY_DAY, "survey_radio"), (FIRST_DAY, "radio")])
def test_a_date_hears_the_radios_of_its_time(small_world: World, on: date, named: str) -> None:
    ids = set(getattr(small_world, named).transmitters.ids)
    others = set(small_world.survey_radio.transmitters.ids) ^ set(small_world.radio.transmitters.ids)
    for export in (
        export_shoppers(small_world, n_shoppers=2, on=on),
        export_survey(small_world, phones=1, scans_per_store=2, on=on),
    ):
        heard = {reading.transmitter for item in export.scans for reading in item.scan.readings}
        assert heard & others & ids
        assert not heard & others - ids


def test_a_card_counts_what_the_file_holds(survey: tuple[bytes, dict[str, Any]], small_world: World) -> None:
    data, card = survey
    scans = read(data)
    counts = card["counts"]
    assert card["file"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert (card["file"]["bytes"], card["file"]["lines"]) == (len(data), len(scans))
    assert counts["scans"] == len(scans)
    assert counts["walks"] == len({item.walk for item in scans})
    per_store = Counter(item.truth.store_id for item in scans)
    assert counts["scans_in_corridors"] == per_store.pop(None)
    assert counts["scans_in_stores"] == per_store.total() == 4 * len(small_world.mall.venue.stores)
    by_level = Counter(item.truth.level for item in scans)
    assert {name: sum(n.values()) for name, n in counts["by_level"].items()} == by_level
    n_readings = sorted(len(item.scan.readings) for item in scans)
    assert counts["readings"] == sum(n_readings)
    assert counts["readings_a_scan"]["min"] == n_readings[0]
    assert counts["readings_a_scan"]["p50"] == n_readings[(len(n_readings) - 1) // 2]
    powers = [round(reading.rssi_dbm) for item in scans for reading in item.scan.readings]
    for name, share in (("p5", 0.05), ("p50", 0.5), ("max", 1.0)):
        assert counts["rssi_dbm"][name] == np.quantile(powers, share, method="inverted_cdf")
    heard = {reading.transmitter for item in scans for reading in item.scan.readings}
    assert counts["transmitters_heard"] + counts["hotspots_heard"] == len(heard)


def test_a_card_tells_how_the_radios_aged(day: tuple[bytes, dict[str, Any]], small_world: World) -> None:
    dates = day[1]["dates"]
    hung, there = (set(small_world.radio_on(on).transmitters.ids) for on in (SURVEY_DAY, LATER))
    assert dates["radios_aged_times"] == 2 == len(dates["radios_aged_on"])
    assert dates["transmitter_ids"] == {
        "on_first_survey": len(hung),
        "on_this_date": len(there),
        "kept": len(hung & there),
        "gone": len(hung - there),
        "new": len(there - hung),
    }
    text = card_to_markdown(day[1])
    assert f"Of {len(hung)} transmitter ids of the first survey's date {len(hung - there)} are gone" in text


def test_the_same_export_has_the_same_card_and_another_seed_another(
    survey: tuple[bytes, dict[str, Any]], small_world: World
) -> None:
    again = written(small_world, export_survey(small_world, phones=2, scans_per_store=4))
    assert again == survey
    other = written(replace(small_world, seed=8), export_survey(replace(small_world, seed=8), phones=2))
    assert other[1]["file"]["sha256"] != survey[1]["file"]["sha256"]


def test_a_card_is_plain_json_whatever_the_radio(small_world: World) -> None:
    """The fitted radio has densities that the standard one has not; infinity stands for none, and JSON has none."""
    for spec in (small_world.radio.spec, XIXI):
        world = replace(small_world, radio=replace(small_world.radio, spec=spec))
        _, card = written(world, export_shoppers(world, n_shoppers=1, on=FIRST_DAY))
        assert json.loads(json.dumps(card, allow_nan=False)) == json.loads(json.dumps(card))
        assert card["radio"]["constants"]["wall_db"] == spec.wall_db


def test_a_card_to_read_has_all_constants_and_how_to_make_it_again(
    day: tuple[bytes, dict[str, Any]], small_world: World
) -> None:
    card = day[1]
    text = card_to_markdown(card)
    front = text.split("---\n")[1]
    assert "license: apache-2.0" in front
    assert "simulated" in front
    for part in ("mall", "radio"):
        for name in card[part]["constants"]:
            assert f"| `{name}` |" in text
    assert f"| `lon_deg` | {small_world.mall.venue.frame.lon_deg} |" in text
    assert f"```\n{RECIPE.command}\n```" in text
    assert card["file"]["sha256"] in text
    for heading in (
        "Motivation",
        "Composition",
        "Collection",
        "Labelling",
        "Known limits",
        "Distribution",
        "Maintenance",
    ):
        assert f"\n## {heading}\n" in text


def test_fields_of_a_card_are_those_of_the_lines(survey: tuple[bytes, dict[str, Any]]) -> None:
    line = json.loads(survey[0].splitlines()[0])
    told = " ".join(row["field"] for row in survey[1]["fields"])
    for name, value in line.items():
        assert name in told
        inner = value if isinstance(value, dict) else value[0] if isinstance(value, list) else {}
        assert all(key in told for key in inner)
