"""The tracks of phones present, so that a restart changes no answer; as long as a phone's scene, and no longer.

A track holds where a phone is now, and nothing of where it was (``positioning/track/record.py``).
"""

import logging
from collections.abc import Collection, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from kernel.ids import DeviceRef, TenantId
from positioning.errors import TrackRecordError
from positioning.track.record import unpack
from runtime.records.schema import tracks
from runtime.records.upsert import upsert

_log = logging.getLogger(__name__)


def store_tracks(
    connection: Connection,
    tenant: TenantId,
    changed: Mapping[DeviceRef, bytes | None],
    unkept: Collection[DeviceRef],
) -> None:
    """Keep what changed; forget what is None, and the tracks of these phones."""
    kept = {ref: held for ref, held in changed.items() if held is not None and ref not in unkept}
    upsert(
        connection,
        tracks,
        [{"device_ref": ref, "tenant_id": tenant, "record": held} for ref, held in kept.items()],
    )
    over = [ref for ref in changed if ref not in kept]
    if over:
        connection.execute(tracks.delete().where(tracks.c.device_ref.in_(over)))


def load_tracks(connection: Connection) -> list[tuple[TenantId, DeviceRef, bytes]]:
    """All stored tracks, for a start. One of another version is left out: its phone begins anew."""
    found, n_other = [], 0
    for row in connection.execute(sa.select(tracks)):
        try:
            unpack([row.record])
        except TrackRecordError:
            n_other += 1
        else:
            found.append((TenantId(row.tenant_id), DeviceRef(row.device_ref), row.record))
    if n_other:
        _log.warning("%d tracks are of another version: their phones begin anew", n_other)
    return found
