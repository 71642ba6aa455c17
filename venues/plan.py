"""A venue's level drawn with matplotlib: stores by category or by value, corridors, doors, names.

matplotlib is imported when something is drawn, so that whoever imports this file without drawing does not load it.
Colours are tints of the Okabe-Ito palette, which colour-blind readers tell apart (Okabe and Ito, *Color Universal
Design*, 2008).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from kernel.ids import StoreId
from venues.model import Area, Store, Unit, Venue

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.path import Path
    from matplotlib.text import Text

FAMILIES: dict[str, tuple[str, frozenset[str]]] = {
    "fashion": (
        "#a9d3ee",
        frozenset(
            {"fashion", "shoes", "clothing.childrens", "luggage", "jewelry", "eyewear.opticians", "departmentstore"}
            | {"clothing", "clothing.mens", "clothing.womens", "womensclothing"}
        ),
    ),
    "beauty and health": ("#e3b7d0", frozenset({"cosmetics", "beautysalon", "pharmacy"})),
    "leisure": ("#a8dbc9", frozenset({"sportinggoods", "books", "toys", "giftshops", "cinema"})),
    "home and electronics": ("#f7e9a0", frozenset({"electronicappliances", "homedecor"})),
    "food": ("#f3c9a5", frozenset({"restaurant", "coffee", "bakedgoods", "desserts", "supermarket"})),
}
"""What a plan's colours mean: fill and the IMDF occupant categories of it. Any other category is ``other``."""
OTHER = "other"
_OTHER_FILL = "#dcdcdc"
_WALL = "#5f5f5f"
_CORRIDOR = "#fbfaf7"
_CLOSED = "#ececec"
_UNKNOWN_FILL = "#f4f4f4"
_MARKS = {"stairs": "stairs", "steps": "stairs", "elevator": "lift", "escalator": "escalator", "restroom": "WC"}
_FONT_PT = (8.5, 4.5)
"""Largest and smallest size of a name; one that fits at none of them is left out."""
_CHAR_EM = 0.62
_LINE_EM = 1.2
_TURNED_PT = 2.0
"""A name stands upright only where it can be this much larger for it."""


def family_of(category: str) -> str:
    """The family whose colour a store of this category has on a plan.

    >>> family_of("coffee"), family_of("bank")
    ('food', 'other')
    """
    return next((name for name, (_, members) in FAMILIES.items() if category in members), OTHER)


def draw_plan(
    ax: "Axes",
    venue: Venue,
    level_index: int,
    *,
    names: bool = True,
    values: Mapping[StoreId, float] | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
    colour_map: str = "Blues",
) -> "ScalarMappable | None":
    """Draw one level to scale, north up, in the venue frame: what is plotted on ``ax`` afterwards is in metres.

    Args:
        ax: matplotlib axes; its limits, aspect and ticks are set.
        level_index: index into ``venue.levels``.
        names: write each store's name where it fits in the store, and the font has its letters.
        values: fill stores by a value rather than by category; stores without one, or with NaN, stay pale.
        limits: the values at both ends of the colour map.

    Returns:
        The colours of ``values`` for ``figure.colorbar``; None without values.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    level = venue.levels[level_index]
    stores = [store for store in venue.stores if store.level_id == level.id]
    units = [unit for unit in venue.units if unit.level_id == level.id]
    shades = None if values is None else ScalarMappable(Normalize(*limits), colour_map)
    if not level.area.is_empty:
        _fill(ax, level.area, "white", _WALL, 1.2, zorder=1)
    let = {store.unit_id for store in stores}
    for unit in units:
        if unit.id not in let:
            _draw_unit(ax, unit)
    for store in stores:
        _fill(ax, store.area, _fill_of(store, values, shades), _WALL, 0.8, zorder=3)
    for door in venue.openings:
        if door.level_id == level.id:
            xy_m = shapely.get_coordinates(door.line)
            ax.plot(xy_m[:, 0], xy_m[:, 1], color=_CORRIDOR, linewidth=2.2, solid_capstyle="butt", zorder=4)
    _set_view(ax, [level.area, *(unit.area for unit in units), *(store.area for store in stores)])
    if names:
        room = _Room.of(ax)
        for store in stores:
            room.write(store.name, store.area, _ink_of(store, values, shades), _FONT_PT)
        for unit in units:
            if unit.category in _MARKS and unit.id not in let:
                room.write(_MARKS[unit.category], unit.area, "#6b6b6b", (6.0, 4.0))
    return shades


def draw_family_legend(ax: "Axes", venue: Venue, *, columns: int = 6) -> None:
    """Put the meaning of the categories' colours under a plan; only the families that the venue has."""
    from matplotlib.patches import Patch

    present = {family_of(store.category) for store in venue.stores}
    fills = {name: fill for name, (fill, _) in FAMILIES.items()} | {OTHER: _OTHER_FILL}
    patches = [
        Patch(facecolor=fill, edgecolor=_WALL, linewidth=0.6, label=name)
        for name, fill in fills.items()
        if name in present
    ]
    ax.legend(
        handles=patches,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.02),
        ncol=columns,
        frameon=False,
        fontsize=8,
        handlelength=1.2,
    )


def _fill_of(store: Store, values: Mapping[StoreId, float] | None, shades: "ScalarMappable | None") -> object:
    if values is None or shades is None:
        return FAMILIES.get(family_of(store.category), (_OTHER_FILL,))[0]
    value = values.get(store.id, np.nan)
    return _UNKNOWN_FILL if np.isnan(value) else shades.to_rgba(np.array(value))


def _ink_of(store: Store, values: Mapping[StoreId, float] | None, shades: "ScalarMappable | None") -> str:
    """White on dark fills; luminance as in Rec. 709."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(_fill_of(store, values, shades))  # type: ignore[arg-type]  # any colour matplotlib knows
    return "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5 else "#262626"


def _draw_unit(ax: "Axes", unit: Unit) -> None:
    if unit.category.startswith("opentobelow"):
        _fill(ax, unit.area, "white", "#b5b5b5", 0.8, zorder=2, hatch="///")
    elif unit.category == "parking":
        _fill(ax, unit.area, "white", "#c9c9c9", 0.5, zorder=1.6)
    elif unit.category in {"walkway", "ramp", "road", "unspecified"}:
        _fill(ax, unit.area, _CORRIDOR, "none", 0.0, zorder=1.5)
    else:
        _fill(ax, unit.area, _CLOSED, "#9a9a9a", 0.8, zorder=2)


def _fill(
    ax: "Axes", area: Area, fill: object, edge: str, width_pt: float, *, zorder: float, hatch: str | None = None
) -> None:
    from matplotlib.patches import PathPatch

    ax.add_patch(
        PathPatch(
            path_of(area),
            facecolor=fill,
            edgecolor=edge,
            linewidth=width_pt,
            hatch=hatch,
            zorder=zorder,
            joinstyle="miter",
        )
    )


def path_of(area: Area) -> "Path":
    """A polygon with its holes, or several of them, as one path."""
    from matplotlib.path import Path

    rings = [
        Path(shapely.get_coordinates(ring), closed=True)
        for part in shapely.get_parts(shapely.orient_polygons(area))
        for ring in (part.exterior, *part.interiors)
    ]
    return Path.make_compound_path(*rings)


def _set_view(ax: "Axes", areas: Iterable[Area]) -> None:
    shown = [area.bounds for area in areas if not area.is_empty]
    ax.set_aspect("equal")
    ax.set_axis_off()
    if not shown:
        return
    bounds = np.array(shown)
    west, south = bounds[:, :2].min(axis=0)
    east, north = bounds[:, 2:].max(axis=0)
    margin_m = 0.02 * max(east - west, north - south)
    bar_m = _round_length_m((east - west) / 6)
    ax.set_xlim(west - margin_m, east + margin_m)
    ax.set_ylim(south - 3.0 * margin_m, north + margin_m)
    y = south - 1.4 * margin_m
    ax.plot([west, west + bar_m], [y, y], color="#444444", linewidth=2.0, solid_capstyle="butt", zorder=4)
    ax.text(west + bar_m + 0.5 * margin_m, y, f"{bar_m:g} m", fontsize=7, va="center", color="#444444")


def _round_length_m(about_m: float) -> float:
    """1, 2 or 5 times a power of ten, the greatest that is not longer.

    >>> _round_length_m(15.0), _round_length_m(9.0)
    (10.0, 5.0)
    """
    power = 10.0 ** np.floor(np.log10(about_m))
    return float(max(step * power for step in (1, 2, 5) if step * power <= about_m))


@dataclass(frozen=True)
class _Room:
    """What fits where: how many points a metre has on these axes, and which letters the font has."""

    ax: "Axes"
    pt_per_m: float
    letters: frozenset[int]

    @staticmethod
    def of(ax: "Axes") -> "_Room":
        from matplotlib.font_manager import FontProperties, findfont, get_font

        ax.apply_aspect()
        (x0, _), (x1, _) = ax.transData.transform([(0.0, 0.0), (1.0, 0.0)])
        letters = get_font(findfont(FontProperties())).get_charmap()
        return _Room(ax, float(x1 - x0) * 72.0 / ax.get_figure(root=True).dpi, frozenset(letters))  # type: ignore[union-attr]  # axes stand in a figure

    def write(self, text: str, area: Area, ink: str, sizes_pt: tuple[float, float]) -> "Text | None":
        """Write in the middle of an area as large as fits, upright if it must be; None where it does not fit."""
        words = text.split()
        if not words or not all(ord(letter) in self.letters for word in words for letter in word):
            return None
        west, south, east, north = (bound * self.pt_per_m for bound in area.bounds)
        wide_pt, high_pt = 0.92 * (east - west), 0.92 * (north - south)
        point = area.representative_point() if not area.contains(area.centroid) else area.centroid
        for size_pt, rotation in _tries(*sizes_pt):
            width_pt, height_pt = (wide_pt, high_pt) if rotation == 0.0 else (high_pt, wide_pt)
            lines = _wrap(words, int(width_pt / (_CHAR_EM * size_pt)))
            if lines and len(lines) * _LINE_EM * size_pt <= height_pt:
                return self.ax.text(
                    point.x,
                    point.y,
                    "\n".join(lines).replace("$", r"\$"),
                    fontsize=size_pt,
                    rotation=rotation,
                    ha="center",
                    va="center",
                    color=ink,
                    linespacing=1.0,
                    zorder=5,
                )
        return None


def _tries(largest_pt: float, smallest_pt: float) -> list[tuple[float, float]]:
    """Sizes and rotations in degrees, the most readable first."""
    sizes_pt = np.arange(largest_pt, smallest_pt - 0.1, -0.5).tolist()
    tries = [(size_pt, rotation) for size_pt in sizes_pt for rotation in (0.0, 90.0)]
    return sorted(tries, key=lambda attempt: -attempt[0] + (_TURNED_PT if attempt[1] else 0.0))


def _wrap(words: list[str], n_letters: int) -> list[str]:
    """Words over lines of at most so many letters; nothing where a word is longer.

    >>> _wrap(["Nine", "Ladles"], 6), _wrap(["Ladles"], 5)
    (['Nine', 'Ladles'], [])
    """
    if max(map(len, words)) > n_letters:
        return []
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) <= n_letters:
            lines[-1] += " " + word
        else:
            lines.append(word)
    return lines
