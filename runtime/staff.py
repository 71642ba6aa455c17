"""Deletes what may not stay, some at a time: of staff, found hourly, and of stores from before they were sensitive."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Final

from kernel.ids import StoreId, TenantId, VenueId
from runtime.database import Database
from runtime.records.parts import Reached, next_part
from runtime.records.sensitive import drop_of_stores
from runtime.records.staff import drop_of_staff, load_long_stays, load_staff, replace_staff
from scenes.service_day import ServiceDays
from scenes.staff import StaffRule, find_staff

LEAVE_OUT_EVERY_S: Final = 3_600.0
"""What is deleted within an hour is deleted within the day that is promised, after 22 failures too."""
ROWS_AT_ONCE: Final = 5_000
"""Of each table in a step: some tens of milliseconds in which no scan is answered."""
OPEN_AT_MOST_US: Final = timedelta(days=2) // timedelta(microseconds=1)
"""A visit ends with its service day, so what arrived earlier has been closed, and looked at, before."""

Sensitive = Mapping[VenueId, frozenset[StoreId]]


class LeavingOut:
    """One tenant's: ``look`` each hour, then ``step`` until it says that all is done. Again is harmless.

    What was looked at is remembered in memory: after ``look`` has found somebody new, or other sensitive stores, and
    after a start, all rows are looked at; else those that came since.
    """

    def __init__(self, database: Database, tenant: TenantId) -> None:
        self._database, self._tenant = database, tenant
        self._sensitive: Sensitive = {}
        self._has_staff = False
        self._reached = Reached()

    def look(self, zones: Mapping[VenueId, tzinfo], sensitive: Sensitive, now: datetime, rule: StaffRule) -> None:
        """Find staff, and take up which stores are sensitive now."""
        with self._database.read() as connection:
            known = load_staff(connection, self._tenant)
            stays = load_long_stays(connection, self._tenant, now - rule.window, rule.long_day)
        found = find_staff(stays, known, now, ServiceDays(zones), rule) if stays or known else {}
        if found != known:
            with self._database.write() as connection:
                replace_staff(connection, self._tenant, found)
        named = {venue_id: stores for venue_id, stores in sensitive.items() if stores}
        is_new = bool(found.keys() - known.keys()) or any(
            stores - self._sensitive.get(venue_id, frozenset()) for venue_id, stores in named.items()
        )
        visits_us = max(0, self._reached.visits_us - OPEN_AT_MOST_US)
        self._reached = Reached() if is_new else replace(self._reached, visits_us=visits_us)
        self._sensitive, self._has_staff = named, bool(found)

    def step(self, at_once: int = ROWS_AT_ONCE) -> tuple[int, bool]:
        """Delete a part, in one transaction; how many visits of staff went, and whether it was the last."""
        if not self._has_staff and not self._sensitive:
            return 0, True
        with self._database.read() as connection:
            part = next_part(connection, self._tenant, self._reached, at_once)
        n = 0
        if part.until != part.after:
            with self._database.write() as connection:
                if self._has_staff:
                    n = drop_of_staff(connection, self._tenant, part)
                if self._sensitive:
                    drop_of_stores(connection, self._tenant, self._sensitive, part)
        self._reached = part.until
        return n, part.is_last
