"""The folder layout of the XYZ10 survey sets, read into a valid IMDF archive.

One folder a floor, named by it (``B1``, ``F1``...), holding ``floor_info.json`` (``map_info.width`` and
``height`` in metres) and ``geojson_map.json`` (the floor's outline, then its polygons, in lon/lat). Everything
else in the folder is left alone. ``kinds`` says which polygons are stores.

Ids are UUIDs derived from the source's ids, so that the same folder gives the same archive. A store keeps the
source feature's own id in the extension property ``atrium_source_id`` of its occupant: its ``StoreId`` is
``st_`` + that id, also after the archive was written and read again.
"""

from collections.abc import Mapping

from venues.archive import ImdfArchive
from venues.xyz10.archive import build_archive
from venues.xyz10.frame import Xyz10Frame
from venues.xyz10.source import read_floors

__all__ = ["Xyz10Frame", "level_frames", "read_xyz10"]


def read_xyz10(files: Mapping[str, bytes], name: str = "Venue") -> ImdfArchive:
    """Read a folder, given as relative path -> content; ``name`` is the venue's, which the layout does not tell.

    Raises:
        Xyz10RefusedError: with every fault found; nothing is taken by halves.
    """
    return build_archive(read_floors(files), name)


def level_frames(files: Mapping[str, bytes]) -> dict[str, Xyz10Frame]:
    """The floor-plan frame of each level, by the level's short name (the folder's name).

    Raises:
        Xyz10RefusedError: as ``read_xyz10``.
    """
    return {floor.short_name: floor.frame for floor in read_floors(files)}
