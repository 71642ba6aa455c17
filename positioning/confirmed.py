"""Confirmed places: scans whose store somebody vouches for, by a payment or a redemption."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from typing import TypeVar

from fingerprints.scan import LabelledScan, Scan
from kernel.ids import StoreId

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class ConfirmedScan:
    """A scan and the store it was taken in, at ``scan.at``.

    ``group`` names what errs together, such as one phone's scans of one day: they are held out, and counted, together.
    """

    scan: Scan
    store_id: StoreId
    group: str


def confirm_labelled(scans: Sequence[LabelledScan]) -> tuple[list[ConfirmedScan], int]:
    """Labelled scans that name a store, grouped by walk, else by phone and day; and how many name none."""
    out: list[ConfirmedScan] = []
    for item in scans:
        if item.truth.store_id is not None and item.scan.readings:
            group = item.walk or f"{item.scan.device_id or ''} {item.scan.at.date()}"
            out.append(ConfirmedScan(item.scan, item.truth.store_id, group))
    return out, len(scans) - len(out)


def distinct(items: Sequence[Item], scan_of: Callable[[Item], Scan]) -> list[Item]:
    """Each scan once: the same phone, instant and readings are the same scan, however often they are told."""
    first: dict[object, Item] = {}
    for item in items:
        scan = scan_of(item)
        first.setdefault((scan.device_id, scan.at, scan.readings), item)
    return list(first.values())


def split_days(
    scans: Sequence[ConfirmedScan], judged_share: float, zone: tzinfo
) -> tuple[list[ConfirmedScan], list[ConfirmedScan]]:
    """(to heal with, to judge by): the newest whole days judge, as few as hold the share; no group stands in both.

    All are to heal with where there is one day alone.

    >>> split_days([], 0.3, __import__("datetime").UTC)
    ([], [])
    """
    of_day: dict[date, list[ConfirmedScan]] = {}
    for item in scans:
        of_day.setdefault(item.scan.at.astimezone(zone).date(), []).append(item)
    days = sorted(of_day)
    judged: list[ConfirmedScan] = []
    while len(days) > 1 and len(judged) < judged_share * len(scans):
        judged = of_day[days.pop()] + judged
    healing = [item for day in days for item in of_day[day]]
    groups = {item.group for item in healing}
    return healing, [item for item in judged if item.group not in groups]
