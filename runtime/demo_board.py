"""The board of the demo: what the server found beside what is true, told to the page as it happens."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from shapely.geometry import MultiPolygon, Polygon

from fingerprints.scan import Truth
from flow.answers import rfc3339
from flow.run_batch import Reply
from kernel.clock import Clock, from_epoch_us
from kernel.ids import DeviceId, TenantId
from runtime.database import Database
from runtime.records.schema import coupons, deliveries, events, redemptions, visits
from venues.model import Area, Venue

_FIRST_HAPPENINGS = 40
_MAX_HAPPENINGS = 200
_PHONES_EVERY_S = 0.25
_SUMMARY_EVERY_S = 1.0
_HAPPENINGS = ("visit.entered", "visit.exited", "coupon.issued", "coupon.redeemed", "delivery.delivered")


class DemoBoard:
    """Counts and tells. ``observe`` comes from the engine's thread, ``watch`` from the event loop."""

    def __init__(
        self,
        database: Database,
        venue: Venue,
        clock: Clock,
        tenant: TenantId,
        *,
        leads_to: Mapping[str, str],
    ) -> None:
        """Args: leads_to: the store that each campaign's card leads to."""
        self._database, self._venue, self._clock, self._tenant = database, venue, clock, tenant
        self._leads_to = leads_to
        self._lock = threading.Lock()
        self._is_closing = threading.Event()
        self._numbers: dict[DeviceId, int] = {}
        self._latest: dict[int, dict[str, Any]] = {}
        self._changed_at: dict[int, int] = {}
        self._changes = 0
        self._n_scans = self._n_positions = self._n_in_store = self._n_right = 0

    def observe(self, _tenant: TenantId, truth: Truth, reply: Reply) -> None:
        """Take in one answered scan whose truth is known."""
        position = None if reply.located is None else reply.located.position
        with self._lock:
            self._n_scans += 1
            self._n_positions += position is not None
            if truth.store_id is not None:
                self._n_in_store += 1
                self._n_right += position is not None and position.store_id == truth.store_id
            device_id = reply.scan.device_id
            if device_id is None:
                return
            number = self._numbers.setdefault(device_id, len(self._numbers) + 1)
            self._changes += 1
            self._changed_at[number] = self._changes
            self._latest[number] = {
                "n": number,
                "level": truth.level,
                "true": self._xy(truth.lon_deg, truth.lat_deg),
                "true_store_id": truth.store_id,
                "found_level": None if position is None else position.level,
                "found": None if position is None else self._xy(position.lon_deg, position.lat_deg),
                "accuracy_m": None if position is None else round(position.accuracy_m, 1),
                "store_id": None if position is None else position.store_id,
                "confidence": None if position is None else round(position.confidence, 3),
                "phase": None if reply.scene is None else reply.scene.phase.value,
                "at": rfc3339(reply.scan.at),
            }

    def close(self) -> None:
        """Let all watchers go, within a moment: a server ends when its answers have."""
        self._is_closing.set()

    def summary(self) -> dict[str, Any]:
        """The day in numbers. ``right_store_share``: of the scans made inside a store, those answered with it."""
        with self._database.read() as connection:
            counted = self._count(connection)
        with self._lock:
            share = self._n_right / self._n_in_store if self._n_in_store else None
            return {
                "scans": self._n_scans,
                "positions": self._n_positions,
                "right_store_share": None if share is None else round(share, 4),
                "in_store_scans": self._n_in_store,
                **counted,
                "sim_time": rfc3339(self._clock.now()),
            }

    def plan(self) -> dict[str, Any]:
        """The levels with units and stores, in venue-frame metres."""
        return {
            "venue": {"id": self._venue.id, "name": self._venue.name},
            "time_zone": self._venue.time_zone,
            "levels": [
                {
                    "id": level.id,
                    "short_name": level.short_name,
                    "name": level.name,
                    "ordinal": level.ordinal,
                    "bounds": [round(value, 2) for value in level.area.bounds],
                    "area": _rings(level.area),
                    "units": [
                        {"category": unit.category, "area": _rings(unit.area)}
                        for unit in self._venue.units
                        if unit.level_id == level.id
                    ],
                    "stores": [
                        {
                            "id": store.id,
                            "name": store.name,
                            "names": dict(store.names),
                            "category": store.category,
                            "area": _rings(store.area),
                            "label": [round(store.display_point.x, 2), round(store.display_point.y, 2)],
                        }
                        for store in self._venue.stores
                        if store.level_id == level.id
                    ],
                }
                for level in sorted(self._venue.levels, key=lambda level: level.ordinal)
            ],
        }

    async def watch(self) -> AsyncIterator[bytes]:
        """Messages for one page, until it goes away or ``close``: moved phones, what happened, the numbers."""
        seen, told_summary = 0, 0.0
        last_event = await asyncio.to_thread(self._last_event)
        while not self._is_closing.is_set():
            moved, seen = self._moved_since(seen)
            yield _message("phones", {"sim_time": rfc3339(self._clock.now()), "phones": moved})
            happened, last_event = await asyncio.to_thread(self._happened_since, last_event)
            for what in happened:
                yield _message("happening", what)
            if time.monotonic() - told_summary >= _SUMMARY_EVERY_S:
                told_summary = time.monotonic()
                yield _message("summary", await asyncio.to_thread(self.summary))
            await asyncio.sleep(_PHONES_EVERY_S)

    def _moved_since(self, seen: int) -> tuple[list[dict[str, Any]], int]:
        """The phones heard of after change ``seen``, and the last change."""
        with self._lock:
            moved = [self._latest[number] for number, change in self._changed_at.items() if change > seen]
            return moved, self._changes

    def _last_event(self) -> int:
        """Where a page that opens now begins: a little back, so that it is not empty."""
        with self._database.read() as connection:
            last = connection.execute(sa.select(sa.func.max(events.c.sequence))).scalar()
        return max(0, (last or 0) - _FIRST_HAPPENINGS)

    def _happened_since(self, last: int) -> tuple[list[dict[str, Any]], int]:
        query = (
            sa.select(events)
            .where(events.c.tenant_id == self._tenant, events.c.sequence > last, events.c.type.in_(_HAPPENINGS))
            .order_by(events.c.sequence)
            .limit(_MAX_HAPPENINGS)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        told = [
            {
                "kind": row.type,
                "at": rfc3339(from_epoch_us(row.occurred_us)),
                "place_kind": (row.data.get("place") or {}).get("kind"),
                "place_id": self._place_of(row.data),
                "counted": row.data.get("counted"),
                "dwell_s": row.data.get("dwell_s"),
                "text": row.data.get("explanation"),
            }
            for row in rows
        ]
        return told, rows[-1].sequence if rows else last

    def _place_of(self, data: Mapping[str, Any]) -> str | None:
        """The store that an event is about: its place, or the one its campaign leads to."""
        place = data.get("place")
        return place["id"] if place else self._leads_to.get(data.get("campaign_id", ""))

    def _count(self, connection: sa.Connection) -> dict[str, int]:
        """Visits that count, cards delivered, coupons issued, redemptions: rows of the records."""
        queries = {
            "visits": sa.select(sa.func.count())
            .select_from(visits)
            .where(visits.c.tenant_id == self._tenant, visits.c.kind == "store", visits.c.counted),
            "cards": sa.select(sa.func.count())
            .select_from(deliveries)
            .where(deliveries.c.tenant_id == self._tenant, deliveries.c.reason == "delivered"),
            "coupons": sa.select(sa.func.count()).select_from(coupons).where(coupons.c.tenant_id == self._tenant),
            "redemptions": sa.select(sa.func.count())
            .select_from(redemptions)
            .where(redemptions.c.tenant_id == self._tenant),
        }
        return {name: int(connection.execute(query).scalar_one()) for name, query in queries.items()}

    def _xy(self, lon_deg: float, lat_deg: float) -> list[float]:
        xy_m = self._venue.frame.to_xy_m((lon_deg, lat_deg))
        return [round(float(xy_m[0]), 2), round(float(xy_m[1]), 2)]


def _rings(area: Area) -> list[list[list[list[float]]]]:
    """An area as polygons of rings of points."""
    polygons = area.geoms if isinstance(area, MultiPolygon) else [area]
    return [
        [[[round(x, 2), round(y, 2)] for x, y in ring.coords] for ring in (polygon.exterior, *polygon.interiors)]
        for polygon in polygons
        if isinstance(polygon, Polygon) and not polygon.is_empty
    ]


def _message(kind: str, data: object) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"
