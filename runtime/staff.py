"""Leaves staff out: an hourly chore that finds who works at a venue, and deletes the visits that told it."""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Final

from kernel.ids import TenantId, VenueId
from runtime.database import Database
from runtime.records.staff import drop_visits_of_staff, load_long_stays, load_staff, replace_staff
from scenes.service_day import ServiceDays
from scenes.staff import StaffRule, find_staff

LEAVE_OUT_EVERY_S: Final = 3_600.0
"""What is deleted within an hour is deleted within the day that is promised, after 22 failures too."""


def leave_out_staff(
    database: Database, tenant: TenantId, zones: Mapping[VenueId, tzinfo], now: datetime, rule: StaffRule
) -> int:
    """Find staff and delete their closed visits, in one transaction; how many visits. Again is harmless."""
    with database.read() as connection:
        known = load_staff(connection, tenant)
        stays = load_long_stays(connection, tenant, now - rule.window, rule.long_day)
    if not stays and not known:
        return 0
    found = find_staff(stays, known, now, ServiceDays(zones), rule)
    if not found and not known:
        return 0
    with database.write() as connection:
        if found != known:
            replace_staff(connection, tenant, found)
        return drop_visits_of_staff(connection, tenant)
