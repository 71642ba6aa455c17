"""From an archive to the venue that the rest of Atrium asks: the join occupant -> anchor -> unit -> level."""

from collections.abc import Iterable
from datetime import date
from typing import Any, Final

import shapely
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, shape

from kernel.ids import LevelId, StoreId, UnitId, VenueId
from venues.archive import Feature, ImdfArchive
from venues.frame import LocalFrame
from venues.model import Area, Level, Opening, Store, Unit, Venue
from venues.time_zone import time_zone_of

SOURCE_ID_PROPERTY: Final = "atrium_source_id"
"""Extension property of an occupant that came from another format: the source feature's own id, which names
the store instead of the occupant's UUID."""


def build_venue(archive: ImdfArchive, venue_id: VenueId) -> Venue:
    """Build the venue from an archive that ``read_archive`` or ``read_xyz10`` gave.

    Stores are ordered by level and id, so that an index of them orders as their ids do. An occupant whose
    anchor leads to no unit cannot be here: such an archive was refused, or the occupant left out.
    """
    venue = archive.of("venue")[0]
    language = _language(archive)
    frame = _frame(venue)
    buildings = {feature["id"]: feature for feature in archive.of("building")}
    levels = sorted(
        (_level(feature, archive, buildings, frame, language) for feature in archive.of("level")),
        key=lambda level: (level.building or "", level.ordinal, level.id),
    )
    units = tuple(_unit(feature, frame, language) for feature in archive.of("unit"))
    rank = {level.id: index for index, level in enumerate(levels)}
    stores = sorted(_stores(archive, units, frame, language), key=lambda store: (rank[store.level_id], store.id))
    return Venue(
        id=venue_id,
        name=pick_label(venue["properties"].get("name"), language) or venue_id,
        frame=frame,
        levels=tuple(levels),
        units=units,
        stores=tuple(stores),
        openings=tuple(_opening(feature, frame) for feature in archive.of("opening")),
        time_zone=time_zone_of(archive),
    )


def pick_label(labels: Any, language: str) -> str | None:
    """One text of a label map: English if there, else the archive's language, else the first by tag."""
    texts = _labels(labels)
    if not texts:
        return None
    for tag in ("en", language):
        if tag in texts:
            return texts[tag]
        primary = tag.split("-")[0]
        for found in sorted(texts):
            if found.split("-")[0] == primary:
                return texts[found]
    return texts[min(texts)]


def _labels(labels: Any) -> dict[str, str]:
    if not isinstance(labels, dict):
        return {}
    return {tag: text for tag, text in labels.items() if isinstance(text, str) and text.strip()}


def _language(archive: ImdfArchive) -> str:
    language = archive.manifest.get("language")
    return language if isinstance(language, str) else "en"


def _frame(venue: Feature) -> LocalFrame:
    point = venue["properties"].get("display_point")
    origin = shape(point) if isinstance(point, dict) else shape(venue["geometry"]).centroid
    assert isinstance(origin, Point)
    return LocalFrame(lat_deg=origin.y, lon_deg=origin.x)


def _level(
    feature: Feature, archive: ImdfArchive, buildings: dict[str, Feature], frame: LocalFrame, language: str
) -> Level:
    properties = feature["properties"]
    name = pick_label(properties.get("name"), language)
    short_name = pick_label(properties.get("short_name"), language)
    building = None
    if len(buildings) > 1:
        building_id = _building_of(feature, archive)
        if building_id is not None:
            building = pick_label(buildings[building_id]["properties"].get("name"), language) or building_id
    return Level(
        id=LevelId(feature["id"]),
        short_name=short_name or name or str(properties["ordinal"]),
        name=name or short_name or str(properties["ordinal"]),
        ordinal=int(properties["ordinal"]),
        area=_area(feature, frame),
        building=building,
        is_outdoor=bool(properties.get("outdoor")),
    )


def _building_of(level: Feature, archive: ImdfArchive) -> str | None:
    """The level's first building; where it names none, that of the footprint it overlaps most."""
    named = level["properties"].get("building_ids")
    if isinstance(named, list) and named:
        return str(named[0])
    outline = shape(level["geometry"])
    best: tuple[float, str] | None = None
    for footprint in archive.of("footprint"):
        overlap = shape(footprint["geometry"]).intersection(outline).area
        ids = footprint["properties"].get("building_ids") or []
        if ids and overlap > 0 and (best is None or overlap > best[0]):
            best = (overlap, str(ids[0]))
    return None if best is None else best[1]


def _unit(feature: Feature, frame: LocalFrame, language: str) -> Unit:
    properties = feature["properties"]
    return Unit(
        id=UnitId(feature["id"]),
        level_id=LevelId(properties["level_id"]),
        category=str(properties["category"]),
        area=_area(feature, frame),
        name=pick_label(properties.get("name"), language),
    )


def _stores(archive: ImdfArchive, units: tuple[Unit, ...], frame: LocalFrame, language: str) -> Iterable[Store]:
    anchors = {feature["id"]: feature for feature in archive.of("anchor")}
    unit_of = {unit.id: unit for unit in units}
    for occupant in archive.of("occupant"):
        properties = occupant["properties"]
        anchor = anchors[properties["anchor_id"]]
        unit = unit_of[UnitId(anchor["properties"]["unit_id"])]
        validity = properties.get("validity")
        validity = validity if isinstance(validity, dict) else {}
        store_id = store_id_of(occupant)
        yield Store(
            id=store_id,
            name=pick_label(properties.get("name"), language) or store_id,
            category=str(properties["category"]),
            unit_id=unit.id,
            level_id=unit.level_id,
            area=unit.area,
            display_point=_point(anchor, frame),
            names=_labels(properties.get("name")),
            valid_from=_day(validity.get("start")),
            valid_until=_day(validity.get("end")),
            correlation_id=_text(properties.get("correlation_id")),
            hours=_text(properties.get("hours")),
        )


def store_id_of(occupant: Feature) -> StoreId:
    """``st_`` + the source's own id where the occupant carries one, else + the occupant's id."""
    return StoreId(f"st_{occupant['properties'].get(SOURCE_ID_PROPERTY) or occupant['id']}")


def _opening(feature: Feature, frame: LocalFrame) -> Opening:
    line = shapely.transform(shapely.force_2d(shape(feature["geometry"])), frame.to_xy_m)
    assert isinstance(line, LineString)
    properties = feature["properties"]
    return Opening(feature["id"], LevelId(properties["level_id"]), str(properties["category"]), line)


def _area(feature: Feature, frame: LocalFrame) -> Area:
    area = shapely.transform(shapely.force_2d(shape(feature["geometry"])), frame.to_xy_m)
    assert isinstance(area, Polygon | MultiPolygon)
    return area


def _point(feature: Feature, frame: LocalFrame) -> Point:
    point = shapely.transform(shapely.force_2d(shape(feature["geometry"])), frame.to_xy_m)
    assert isinstance(point, Point)
    return point


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _day(value: Any) -> date | None:
    """The day of an IMDF instant (``2026-11-22T10:00:00Z`` or a bare date)."""
    return date.fromisoformat(value[:10]) if isinstance(value, str) else None
