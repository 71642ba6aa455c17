"""What is exported keeps IMDF's rules, and the rules find what breaks them."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sim.layout import MallSpec
from sim.mall import make_mall
from sim.presets import ANCHORS_MALL, TABLE_MALL
from tests.imdf_rules import broken_rules
from venues.archive import ImdfArchive

SPECS = {"standard": MallSpec(), "table": TABLE_MALL, "anchors": ANCHORS_MALL}


def archive_of(spec: MallSpec) -> ImdfArchive:
    return make_mall(spec, np.random.default_rng(11)).archive


@pytest.mark.parametrize("name", SPECS)
def test_a_simulated_mall_keeps_every_rule(name: str) -> None:
    assert broken_rules(archive_of(SPECS[name])) == []


def _set(kind: str, name: str, value: Any) -> Callable[[ImdfArchive], None]:
    return lambda archive: archive.of(kind)[0]["properties"].__setitem__(name, value)


def _put(kind: str, key: str, value: Any) -> Callable[[ImdfArchive], None]:
    return lambda archive: archive.of(kind)[0].__setitem__(key, value)


def _moved(kind: str, by_deg: float) -> Callable[[ImdfArchive], None]:
    def shift(value: Any) -> Any:
        return [shift(part) for part in value] if isinstance(value[0], list) else [part + by_deg for part in value]

    def move(archive: ImdfArchive) -> None:
        geometry = archive.of(kind)[0]["geometry"]
        geometry["coordinates"] = shift(geometry["coordinates"])

    return move


def _reversed(archive: ImdfArchive) -> None:
    archive.of("unit")[3]["geometry"]["coordinates"][0].reverse()


def _second_venue(archive: ImdfArchive) -> None:
    one = copy.deepcopy(archive.of("venue")[0])
    one["id"] = "00000000-0000-4000-8000-000000000001"
    archive.features["venue"] = (*archive.of("venue"), one)


def _shared_anchor(archive: ImdfArchive) -> None:
    archive.of("occupant")[0]["properties"]["anchor_id"] = archive.of("occupant")[1]["properties"]["anchor_id"]


def _same_ordinal(archive: ImdfArchive) -> None:
    archive.of("level")[0]["properties"]["ordinal"] = archive.of("level")[1]["properties"]["ordinal"]


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda archive: archive.manifest.update(version="2"), "manifest: version"),
        (lambda archive: archive.manifest.update(created="yesterday"), "manifest: created"),
        (lambda archive: archive.manifest.update(language="English"), "manifest: language"),
        (_put("unit", "id", "7"), "is no UUID"),
        (_put("unit", "feature_type", "kiosk"), "type: unit"),
        (_put("address", "geometry", {"type": "Point", "coordinates": [120.0, 30.0]}), "has the wrong type"),
        (_reversed, "runs clockwise"),
        (_second_venue, "venue: not one"),
        (_set("unit", "level_id", "00000000-0000-4000-8000-000000000000"), "reference: unit"),
        (_set("unit", "category", "shop"), "category: unit"),
        (_set("opening", "category", "door"), "category: opening"),
        (_set("occupant", "category", "bookstore"), "category: occupant"),
        (_set("occupant", "hours", "from ten to ten"), "hours: occupant"),
        (_set("occupant", "name", {}), "labels:"),
        (_set("level", "short_name", {"english": "F1"}), "labels:"),
        (_set("unit", "display_point", {"type": "Point", "coordinates": [120.0, 30.0]}), "display_point: unit"),
        (_same_ordinal, "ordinals:"),
        (_moved("level", 1e-4), "outside the venue"),
        (_moved("unit", 1e-5), "overlap: units"),
        (_moved("unit", 1e-2), "outside its level"),
        (_moved("opening", 1e-6), "lies on no unit's border"),
        (_moved("anchor", 1e-3), "stands outside its unit"),
        (_moved("amenity", 1e-3), "stands outside its units"),
        (_shared_anchor, "share one"),
    ],
)
def test_each_rule_finds_what_breaks_it(harm: Callable[[ImdfArchive], None], told: str) -> None:
    archive = copy.deepcopy(archive_of(MallSpec(n_levels=2)))
    harm(archive)
    found = broken_rules(archive)
    assert any(told in message for message in found), found
