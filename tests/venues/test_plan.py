"""Plans of a level: every store is drawn in its colour, in metres, and names stand only where they can be read."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

from sim.layout import MallSpec
from sim.mall import make_mall
from venues.model import Store, Venue
from venues.plan import FAMILIES, draw_family_legend, draw_plan, family_of


@pytest.fixture
def ax() -> Iterator[Axes]:
    figure = Figure(figsize=(8, 5))
    yield figure.subplots()


@pytest.fixture
def venue() -> Venue:
    """One level of 20 stores."""
    return make_mall(MallSpec(n_levels=1), np.random.default_rng(1)).venue


def fill_at(ax: Axes, store: Store) -> str:
    """The colour of what is drawn topmost at a store's middle."""
    here = [
        patch
        for patch in ax.patches
        if isinstance(patch, PathPatch)
        and patch.get_path().contains_point((store.display_point.x, store.display_point.y))
    ]
    return to_hex(max(here, key=lambda patch: patch.get_zorder()).get_facecolor())


def test_each_store_has_the_colour_of_its_family(ax: Axes, venue: Venue) -> None:
    assert draw_plan(ax, venue, 0) is None
    assert len({family_of(store.category) for store in venue.stores}) > 2
    for store in venue.stores:
        assert fill_at(ax, store) == FAMILIES[family_of(store.category)][0]


def test_values_colour_the_stores_and_a_missing_one_stays_pale(ax: Axes, venue: Venue) -> None:
    low, high, nan, *_ = venue.stores
    shades = draw_plan(ax, venue, 0, values={low.id: 0.0, high.id: 1.0, nan.id: float("nan")}, colour_map="cividis")
    assert shades is not None
    assert fill_at(ax, low) == to_hex(shades.to_rgba(0.0))  # type: ignore[arg-type]  # a scalar is allowed
    assert fill_at(ax, high) == to_hex(shades.to_rgba(1.0))  # type: ignore[arg-type]
    assert fill_at(ax, nan) == fill_at(ax, venue.stores[-1]) == "#f4f4f4"


def test_only_the_asked_level_is_drawn() -> None:
    venue = make_mall(MallSpec(n_levels=2), np.random.default_rng(1)).venue
    for index, level in enumerate(venue.levels):
        ax = Figure(figsize=(20, 12)).subplots()
        draw_plan(ax, venue, index)
        written = {text.get_text().replace("\n", " ") for text in ax.texts}
        here = {store.name for store in venue.stores if store.level_id == level.id}
        there = {store.name for store in venue.stores} - here
        assert here <= written
        assert not written & there


def test_names_are_left_out_when_not_asked_for(ax: Axes, venue: Venue) -> None:
    draw_plan(ax, venue, 0, names=False)
    assert [text.get_text() for text in ax.texts] == ["10 m"]


def test_a_name_stays_within_its_store(venue: Venue) -> None:
    figure = Figure(figsize=(6, 4))
    ax = figure.subplots()
    draw_plan(ax, venue, 0)
    figure.canvas.draw()
    area_of = {store.name: store.area for store in venue.stores}
    checked = 0
    for text in ax.texts:
        area = area_of.get(text.get_text().replace("\n", " "))
        if area is not None:
            box = text.get_window_extent().transformed(ax.transData.inverted())
            west, south, east, north = area.bounds
            assert west <= box.x0 and box.x1 <= east and south <= box.y0 and box.y1 <= north, text.get_text()
            checked += 1
    assert checked >= 15


def test_letters_that_the_font_lacks_are_not_written_as_boxes(ax: Axes, venue: Venue) -> None:
    chinese = replace(venue, stores=tuple(replace(store, name=store.names["zh-Hans"]) for store in venue.stores))
    draw_plan(ax, chinese, 0)
    ax.figure.canvas.draw()  # a missing letter is a warning, and that an error
    assert not {text.get_text() for text in ax.texts} & {store.name for store in chinese.stores}


def test_a_dollar_in_a_name_starts_no_formula(ax: Axes, venue: Venue) -> None:
    odd = replace(venue, stores=(replace(venue.stores[0], name="A$b $_{c"),))
    draw_plan(ax, odd, 0)
    ax.figure.canvas.draw()
    assert any("A\\$b" in text.get_text() for text in ax.texts)


def test_the_legend_names_the_families_of_the_venue(ax: Axes, venue: Venue) -> None:
    only_food = replace(venue, stores=tuple(store for store in venue.stores if family_of(store.category) == "food"))
    draw_family_legend(ax, only_food)
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["food"]


def test_neither_importing_plans_nor_the_server_loads_matplotlib() -> None:
    code = "import sys, venues.plan, runtime.wiring, runtime.server, runtime.cli; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
