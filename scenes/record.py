"""A packed record as values: its visits, its phase; and as bytes that another process can take up.

The layout is ``kernels/record.py``'s.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import numpy as np

from kernel.ids import DeviceRef, LevelId, StoreId, VenueId, VisitId, derive_id
from scenes.errors import SnapshotError
from scenes.kernels.record import (
    ARRIVED,
    BASE,
    FIRST_STORE,
    FRONT,
    HEAD,
    I32,
    INFO,
    INSIDE,
    LAST,
    LEVEL,
    MOST_WINDOW,
    N_RECORD,
    NOTHING,
    OPEN,
    PHASE_SINCE,
    RATE,
    STAT,
    STORE,
    UNNAMED_LEVEL,
    VENUE,
    VISITS,
    WINDOW,
    back_of,
    is_counted,
    level_of,
    marks_of,
    place_of,
    revision_of,
    state_of,
    store_of,
)
from scenes.places import PlaceBook
from scenes.rules import PlaceKind
from scenes.state import Phase, Place, Presence, Visit

KINDS: Final = (PlaceKind.STORE, PlaceKind.LEVEL, PlaceKind.VENUE)
"""In the order of the records' numbers."""
PHASES: Final = tuple(Phase)
EPOCH: Final = datetime(1960, 1, 1, tzinfo=UTC)
_MINUTE_MS = 60_000
_MILLISECOND = timedelta(milliseconds=1)


def new_record() -> I32:
    """(32,) of a phone that nothing is known of."""
    return np.zeros(N_RECORD, dtype=np.int32)


def to_ms(at: datetime) -> int:
    """Whole milliseconds since 1960, rounded down."""
    return (at - EPOCH) // _MILLISECOND


def instant(base_min: int, ms: int) -> datetime:
    """The instant ``ms`` after a record's base."""
    return EPOCH + timedelta(milliseconds=int(base_min) * _MINUTE_MS + int(ms))


def last_at(record: I32) -> datetime | None:
    """The newest fix; None where nothing is known."""
    return None if record[BASE] == 0 else instant(record[BASE], record[LAST])


def phase_of(record: I32) -> tuple[Phase, datetime | None]:
    """The phase, and since when."""
    phase = PHASES[(int(record[HEAD]) >> 16) & 7]
    return phase, None if record[BASE] == 0 else instant(record[BASE], record[PHASE_SINCE])


def presence_of(record: I32) -> Presence | None:
    """Whether the newest fix is confirmed; None where it knows no venue."""
    if record[WINDOW + back_of(int(record[HEAD]), 1) + 1] == 0:
        return None
    is_open = state_of(int(record[VISITS + 4 * VENUE + INFO])) == OPEN
    return Presence.CONFIRMED if is_open else Presence.WEAK


def open_visits(record: I32, device: DeviceRef, book: PlaceBook) -> dict[PlaceKind, Visit]:
    """The open visits, innermost first."""
    return {
        KINDS[kind]: visit_from(record[BASE], record[HEAD] & 0xFFFF, kind, record[row : row + 4], device, book)
        for kind, row in _rows()
        if state_of(int(record[row + INFO])) == OPEN
    }


def has_open_visits(record: I32) -> bool:
    """Whether any visit is open."""
    return any(state_of(int(record[row + INFO])) == OPEN for _, row in _rows())


def visit_from(base_min: int, venue: int, kind: int, row: I32, device: DeviceRef, book: PlaceBook) -> Visit:
    """A visit from its four numbers; its id is the same whenever the same visit is found again."""
    info, stat = int(row[INFO]), int(row[STAT])
    place_id = book.place_id(int(venue), kind, place_of(info))
    arrived_at, inside_at = instant(base_min, row[ARRIVED]), instant(base_min, row[INSIDE])
    return Visit(
        visit_id=VisitId(derive_id("vis", device, place_id, arrived_at.isoformat())),
        place=Place(KINDS[kind], place_id, book.venue_ids[int(venue)]),
        arrived_at=arrived_at,
        last_inside_at=inside_at,
        fix_count=stat >> 16,
        confidence=(stat & 0xFFFF) / 0xFFFF,
        is_counted=bool(is_counted(info)),
        marks_passed=marks_of(info),
        revision=revision_of(info),
        left_at=None if state_of(info) == OPEN else inside_at,
    )


class _Snapshot(msgspec.Struct):
    version: int
    record: bytes
    venue: VenueId
    other_venue: VenueId
    levels: dict[int, LevelId]
    stores: dict[int, StoreId]


_VERSION = 2
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Snapshot)


def snapshot(record: I32, book: PlaceBook) -> bytes:
    """The record as bytes with its places' own ids; ``restore`` of them goes on as if nothing had been between."""
    venue, other = int(record[HEAD]) & 0xFFFF, int(record[RATE]) >> 16
    levels, stores = _numbers(record)
    return _encoder.encode(
        _Snapshot(
            _VERSION,
            record.astype("<i4").tobytes(),
            book.venue_ids[venue],
            book.venue_ids[other],
            {number: LevelId(book.place_id(venue, LEVEL, number)) for number in sorted(levels)},
            {number: StoreId(book.place_id(venue, STORE, number)) for number in sorted(stores)},
        )
    )


def restore(data: bytes, book: PlaceBook) -> I32:
    """Read a snapshot back, its places by this book's numbers.

    Raises:
        SnapshotError: damaged, or of a version that this code does not know.
    """
    try:
        held = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SnapshotError(f"a phone's scene cannot be read back: {error}") from error
    if held.version != _VERSION:
        raise SnapshotError(f"expected scene version {_VERSION}, found {held.version}")
    if len(held.record) != 4 * N_RECORD:
        raise SnapshotError(f"expected a record of {4 * N_RECORD} bytes, found {len(held.record)}")
    record = np.frombuffer(held.record, dtype="<i4").astype(np.int32)
    levels, stores = _numbers(record)
    if levels - held.levels.keys() or stores - held.stores.keys():
        raise SnapshotError("a phone's scene names places that it does not carry")
    venue = book.venue(held.venue) if held.venue else 0
    other = book.venue(held.other_venue) if held.other_venue else 0
    record[HEAD] = (int(record[HEAD]) & ~0xFFFF) | venue
    record[RATE] = (int(record[RATE]) & 0xFFFF) | (other << 16)
    level_at = {number: book.level(venue, level_id) for number, level_id in held.levels.items()}
    store_at = {number: book.store(venue, store_id) for number, store_id in held.stores.items()}
    for at in _codes():
        code = int(record[at])
        level, store = level_of(code), store_of(code)
        code = (code & ~(63 << 24)) | (level_at.get(level, level) << 24)
        record[at] = (code & ~0xFFFF) | store_at.get(store, store)
    for kind, row in _rows():
        info = int(record[row + INFO])
        renumbered = {STORE: store_at, LEVEL: level_at}.get(kind, dict.fromkeys([place_of(info)], venue))
        if state_of(info) != NOTHING:
            record[row + INFO] = (info & ~0xFFFF) | renumbered[place_of(info)]
    front = int(record[FRONT])
    record[FRONT] = (front & ~0xFFFF) | store_at.get(front & 0xFFFF, front & 0xFFFF)
    return record


def _rows() -> Iterator[tuple[int, int]]:
    """Each visit's kind and where its row begins."""
    return ((kind, VISITS + 4 * kind) for kind in range(3))


def _codes() -> range:
    return range(WINDOW + 1, WINDOW + 2 * MOST_WINDOW, 2)


def _numbers(record: I32) -> tuple[set[int], set[int]]:
    """The levels and stores that a record names."""
    codes = [int(record[at]) for at in _codes()]
    levels = {level_of(code) for code in codes}
    stores = {store_of(code) for code in codes} | {int(record[FRONT]) & 0xFFFF}
    for kind, row in _rows():
        info = int(record[row + INFO])
        if kind != VENUE and state_of(info) != NOTHING:
            (stores if kind == STORE else levels).add(place_of(info))
    return {n for n in levels if 0 < n < UNNAMED_LEVEL}, {n for n in stores if n >= FIRST_STORE}
