"""The floors of an XYZ10 folder, parsed and checked; nothing is interpreted yet."""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import MultiPolygon, Polygon, shape
from shapely.geometry.base import BaseGeometry

from venues.errors import Xyz10RefusedError
from venues.faults import Fault, FaultCode
from venues.strict_json import BadJsonError, load_json
from venues.xyz10.frame import Xyz10Frame

MAP_FILE: Final = "geojson_map.json"
INFO_FILE: Final = "floor_info.json"
_FLOOR_NAME = re.compile(r"^(B|F|L)(\d{1,2})$")


@dataclass(frozen=True, slots=True)
class SourcePolygon:
    """A polygon as the source draws it (lon/lat), with its id, name and category path."""

    id: str
    name: str | None
    categories: tuple[str, ...]
    geometry: Polygon | MultiPolygon


@dataclass(frozen=True, slots=True)
class SourceFloor:
    """One floor folder, parsed."""

    short_name: str
    ordinal: int
    source_id: str
    outline: Polygon | MultiPolygon
    frame: Xyz10Frame
    polygons: tuple[SourcePolygon, ...]


def read_floors(files: Mapping[str, bytes]) -> tuple[SourceFloor, ...]:
    """Parse every floor folder, lowest first.

    Raises:
        Xyz10RefusedError: with every fault found.
    """
    faults: list[Fault] = []
    floors = []
    by_folder: dict[str, str] = {}
    for path in sorted(files):
        parts = path.replace("\\", "/").split("/")
        if len(parts) < 2 or parts[-1] != MAP_FILE:
            continue
        if parts[-2] in by_folder:
            faults.append(Fault(path, None, FaultCode.DUPLICATE_FILE, f"{by_folder[parts[-2]]} is {parts[-2]} too"))
        by_folder.setdefault(parts[-2], path)
    if not by_folder:
        faults.append(Fault(None, None, FaultCode.NO_LEVEL, f"expected <floor>/{MAP_FILE}, found none"))
    for folder, path in by_folder.items():
        info_path = path[: -len(MAP_FILE)] + INFO_FILE
        if info_path not in files:
            faults.append(Fault(info_path, None, FaultCode.MISSING_PROPERTY, "the floor's size is not given"))
            continue
        floor = _read_floor(folder, (path, files[path]), (info_path, files[info_path]), faults)
        if floor is not None:
            floors.append(floor)
    faults += _duplicate_ids(floors)
    if faults:
        raise Xyz10RefusedError(tuple(faults))
    return tuple(sorted(floors, key=lambda floor: (floor.ordinal, floor.short_name)))


def _duplicate_ids(floors: Iterable[SourceFloor]) -> Iterator[Fault]:
    first: dict[str, str] = {}
    for floor in floors:
        for source_id in (floor.source_id, *(polygon.id for polygon in floor.polygons)):
            if source_id in first:
                message = f"the id stands on {first[source_id]} too"
                yield Fault(f"{floor.short_name}/{MAP_FILE}", source_id, FaultCode.DUPLICATE_ID, message)
            first.setdefault(source_id, floor.short_name)


def _read_floor(
    folder: str, map_file: tuple[str, bytes], info_file: tuple[str, bytes], faults: list[Fault]
) -> SourceFloor | None:
    before = len(faults)
    path, info_path = map_file[0], info_file[0]
    document = _load(*map_file, faults)
    info = _load(*info_file, faults)
    if len(faults) > before:
        return None
    size_m = _plan_size_m(info)
    if size_m is None:
        faults.append(Fault(info_path, None, FaultCode.INVALID_PROPERTY, "expected map_info {width, height} in m"))
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or not features:
        faults.append(Fault(path, None, FaultCode.NOT_A_FEATURE_COLLECTION, "expected a list of features"))
        return None
    parsed = [_read_polygon(path, index, feature, faults) for index, feature in enumerate(features)]
    if len(faults) > before or size_m is None or parsed[0] is None:
        return None
    outline = parsed[0]
    ordinal = _ordinal(folder, features[0].get("properties"))
    if ordinal is None:
        faults.append(Fault(path, outline.id, FaultCode.MISSING_PROPERTY, "neither floor_num nor a name such as F1"))
        return None
    try:
        frame = Xyz10Frame.from_outline(outline.geometry.bounds, *size_m)
    except ValueError as error:
        faults.append(Fault(path, outline.id, FaultCode.INVALID_GEOMETRY, str(error)))
        return None
    polygons = tuple(polygon for polygon in parsed[1:] if polygon is not None)
    return SourceFloor(folder, ordinal, outline.id, outline.geometry, frame, polygons)


def _load(path: str, data: bytes, faults: list[Fault]) -> Any:
    try:
        return load_json(data)
    except BadJsonError as error:
        faults.append(Fault(path, None, error.fault_code, str(error)))
        return None


def _plan_size_m(info: Any) -> tuple[float, float] | None:
    size = info.get("map_info") if isinstance(info, dict) else None
    if not isinstance(size, dict):
        return None
    width_m, height_m = size.get("width"), size.get("height")
    if _is_length(width_m) and _is_length(height_m):
        return float(width_m), float(height_m)
    return None


def _is_length(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e5


def _ordinal(folder: str, properties: Any) -> int | None:
    """IMDF's ordinal (0 = ground) from ``floor_num`` (1 = ground, -1 = first below), else from the name."""
    number = properties.get("floor_num") if isinstance(properties, dict) else None
    if isinstance(number, int) and not isinstance(number, bool) and number != 0 and abs(number) < 1000:
        return number - 1 if number > 0 else number
    named = _FLOOR_NAME.match(folder)
    if named is None or int(named[2]) == 0:
        return None
    return -int(named[2]) if named[1] == "B" else int(named[2]) - 1


def _read_polygon(path: str, index: int, feature: Any, faults: list[Fault]) -> SourcePolygon | None:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(properties, dict):
        faults.append(Fault(path, f"#{index}", FaultCode.INVALID_FEATURE, "expected a feature with properties"))
        return None
    raw_id = feature.get("id", properties.get("id"))
    feature_id = str(raw_id) if isinstance(raw_id, str | int) and not isinstance(raw_id, bool) else ""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", feature_id):
        faults.append(Fault(path, f"#{index}", FaultCode.INVALID_ID, "expected an id of letters and digits"))
        return None
    geometry = _polygonal(feature.get("geometry"))
    if geometry is None:
        faults.append(Fault(path, feature_id, FaultCode.INVALID_GEOMETRY, "expected a valid polygon in lon/lat"))
        return None
    name = properties.get("name")
    text = " ".join(html.unescape(name).split()) if isinstance(name, str) else ""
    categories = properties.get("category")
    path_of = tuple(str(part) for part in categories) if isinstance(categories, list) else ()
    return SourcePolygon(feature_id, text or None, path_of, geometry)


def _polygonal(raw: Any) -> Polygon | MultiPolygon | None:
    if not isinstance(raw, dict) or raw.get("type") not in ("Polygon", "MultiPolygon"):
        return None
    try:
        geometry: BaseGeometry = shapely.force_2d(shape(raw))
    except (ShapelyError, ValueError, TypeError, AttributeError, IndexError, KeyError):
        return None
    if not isinstance(geometry, Polygon | MultiPolygon) or geometry.is_empty or not geometry.is_valid:
        return None
    west, south, east, north = geometry.bounds
    return geometry if -180 <= west <= east <= 180 and -85 <= south <= north <= 85 else None
