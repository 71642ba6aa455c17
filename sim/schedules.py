"""When phones scan: each kind of phone by the rules of its system, each phone by a clock of its own.

A scan is *asked for* by a timer and *ready* a few seconds later; the scan's ``at`` is the instant it is ready, from
which the ages of its readings count back. All is drawn by counter from the phone and the number of the scan, so no
phone hangs on another, and part of a day has the same scans as the whole of it.

Source: Android 9 and later, ``WifiManager.startScan()``: an application in front gets 4 scans in any 2 minutes, all
applications behind together one in 30 minutes (Android Open Source Project, ``ScanRequestProxy.java``:
``SCAN_REQUEST_THROTTLE_MAX_IN_TIME_WINDOW_FG_APPS``, ``..._TIME_WINDOW_FG_APPS_MS``, ``..._INTERVAL_BG_APPS_MS``;
developer.android.com, "Wi-Fi scanning overview"). A maker's own service is not throttled. iOS gives applications no
Wi-Fi scan; Core Location ranges beacons about once a second while an application is in front.
"""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.chance import F64, I64, stream_key, uniform
from sim.phones import SCAN_PERIOD_S

_MIX, _PHASE, _LATE, _TAKES = range(600, 604)
_MS = 1_000.0
_LONG_AGO_MS = -(2**60)


class ScanSchedule(StrEnum):
    """Whose rules a phone scans by."""

    MAKER = "maker"
    ANDROID_FOREGROUND = "android_foreground"
    ANDROID_BACKGROUND = "android_background"
    IPHONE = "iphone"


SCHEDULES: Final = tuple(ScanSchedule)
"""In arrays a schedule is its place here."""


@dataclass(frozen=True, slots=True)
class ScheduleRule:
    """A timer, and what the system lets through of it.

    Attributes:
        period_s: the timer asks so often.
        late_s: each time up to so much late, evenly drawn.
        takes_s: from asking to the result, least and most: one length a phone, which goes through the same channels
            each time.
        most, window_s: the system grants at most ``most`` in any ``window_s``, and leaves the rest unanswered; None
            for no limit.
    """

    period_s: float
    late_s: float
    takes_s: tuple[float, float]
    most: int | None = None
    window_s: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.late_s < self.period_s:
            raise ValueError(f"expected a timer less late than its period, found {self.late_s} of {self.period_s} s")
        if not 0.0 <= self.takes_s[0] <= self.takes_s[1] or (self.most is not None and self.most < 1):
            raise ValueError(f"expected a scan's least and most length, and a limit of 1 or more, found {self}")


_WIFI_TAKES_S = (2.0, 4.0)
"""Ours: a full scan listens about 0.1 s on each of some 25-38 channels."""


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """The rule of each schedule. Limits are the systems', timers ours.

    The application in front asks a little less often than the system allows, as ``docs/sdk.md`` advises; with
    ``period_s=10`` it gets four scans at once and then none until two minutes have gone. Behind, the timer may wait
    a minute for others to wake with. The iPhone's application is in front, and sends the last second's ranging.
    """

    maker: ScheduleRule = ScheduleRule(SCAN_PERIOD_S, 0.0, _WIFI_TAKES_S)
    android_foreground: ScheduleRule = ScheduleRule(31.0, 1.0, _WIFI_TAKES_S, 4, 120.0)
    android_background: ScheduleRule = ScheduleRule(1_860.0, 60.0, _WIFI_TAKES_S, 1, 1_800.0)
    iphone: ScheduleRule = ScheduleRule(SCAN_PERIOD_S, 0.0, (1.0, 1.0))

    def rule(self, schedule: ScanSchedule) -> ScheduleRule:
        found: ScheduleRule = getattr(self, schedule.value)
        return found


@dataclass(frozen=True, slots=True)
class PhoneMix:
    """Shares of phones by schedule. Ours: no count of a real mall's phones is known to us."""

    maker: float = 0.5
    android_foreground: float = 0.1
    android_background: float = 0.2
    iphone: float = 0.2

    def __post_init__(self) -> None:
        if min(self.shares) < 0.0 or abs(sum(self.shares) - 1.0) > 1e-9:
            raise ValueError(f"expected shares that add up to 1, found {self}")

    @property
    def shares(self) -> tuple[float, ...]:
        """In the order of ``SCHEDULES``."""
        return tuple(getattr(self, field.name) for field in fields(self))


def draw_mix(person: ArrayLike, mix: PhoneMix, seed: int) -> NDArray[np.int8]:
    """Which schedule each person's phone has, for ever: places in ``SCHEDULES``."""
    chance = uniform(stream_key(seed, _MIX), person)
    ends = np.cumsum(mix.shares)[:-1]
    return np.searchsorted(ends, chance, side="right").astype(np.int8)


def only_beacons(schedule: ArrayLike) -> NDArray[np.bool_]:
    """Which phones hear no Wi-Fi (``radio.PhoneRadio.only_beacons``)."""
    found: NDArray[np.bool_] = np.asarray(schedule) == SCHEDULES.index(ScanSchedule.IPHONE)
    return found


@dataclass(frozen=True, slots=True)
class ScanTimes:
    """Scans of many phones, by phone, then by time. Seconds are since opening, in whole milliseconds.

    Attributes:
        phone: (n_scans,) place among the phones asked about.
        number: (n_scans,) of the phone's timer; with phone and day it names the scan.
        asked_s: (n_scans,) when it was asked for; the system's limits are on these, and hold for ``at_s`` too.
        at_s: (n_scans,) when the result was there.
    """

    phone: I64
    number: I64
    asked_s: F64
    at_s: F64

    def __len__(self) -> int:
        return len(self.phone)


def scan_times(
    schedule: ArrayLike,
    person: ArrayLike,
    start_s: ArrayLike,
    end_s: ArrayLike,
    seed: int,
    *,
    day: int = 0,
    spec: ScheduleSpec | None = None,
) -> ScanTimes:
    """The scans of each phone that are ready from ``start_s`` on and before ``end_s``.

    Where a rule asks for more than the system grants, the limit counts from ``start_s`` on.

    Args:
        schedule: (n_phones,) places in ``SCHEDULES``.
        person: (n_phones,) whose phone: what its chance hangs on.
        start_s: (n_phones,) or one number, from 0 on.
        end_s: likewise.
        day: each day has timers of its own.
    """
    kinds = np.asarray(schedule, dtype=np.int64)
    n_phones = len(kinds)
    who = np.broadcast_to(np.asarray(person, dtype=np.int64), n_phones)
    start, end = (np.broadcast_to(np.asarray(bound, dtype=np.float64), n_phones) for bound in (start_s, end_s))
    if n_phones and (kinds.min() < 0 or kinds.max() >= len(SCHEDULES) or start.min() < 0.0):
        raise ValueError("expected schedules by their places in SCHEDULES, and times from 0 on")
    rules = spec or ScheduleSpec()
    parts = []
    for place, kind in enumerate(SCHEDULES):
        at = np.flatnonzero(kinds == place)
        if at.size:
            parts.append(_times_of(rules.rule(kind), at, who[at], start[at], end[at], (seed, day, place)))
    if not parts:
        parts.append(tuple(np.empty(0, dtype=np.int64) for _ in range(4)))
    phone, number, asked_ms, ready_ms = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(phone, kind="stable")
    return ScanTimes(phone[order], number[order], asked_ms[order] / _MS, ready_ms[order] / _MS)


def _times_of(
    rule: ScheduleRule, phone: I64, person: I64, start_s: F64, end_s: F64, stream: tuple[int, int, int]
) -> tuple[I64, ...]:
    """Phone, number, asking and ready (ms) of the scans of phones that share one rule."""
    seed, day, place = stream
    period_ms, late_ms = round(rule.period_s * _MS), rule.late_s * _MS
    phase_ms = np.floor(period_ms * uniform(stream_key(seed, _PHASE, day, place), person)).astype(np.int64)
    phase_ms -= period_ms  # number 0 is asked for before opening, and may be ready after it
    low_ms, high_ms = (length * _MS for length in rule.takes_s)
    takes_ms = np.rint(low_ms + (high_ms - low_ms) * uniform(stream_key(seed, _TAKES, place), person)).astype(np.int64)
    since_ms = np.ceil(start_s * _MS).astype(np.int64) - phase_ms - takes_ms
    until_ms = np.ceil(end_s * _MS).astype(np.int64) - phase_ms - takes_ms
    first = np.maximum(0, -((late_ms - since_ms) // period_ms)).astype(np.int64)  # may be ready in time if late
    n = np.maximum(0, -(-until_ms // period_ms) - first)
    row = np.repeat(np.arange(len(phone)), n)
    number = np.arange(len(row)) - np.repeat(np.cumsum(n) - n, n) + first[row]
    late = np.floor(late_ms * uniform(stream_key(seed, _LATE, day, place), person[row], number)).astype(np.int64)
    asked_ms = phase_ms[row] + number * period_ms + late
    ready_ms = asked_ms + takes_ms[row]
    keep = (ready_ms >= start_s[row] * _MS) & (ready_ms < end_s[row] * _MS)
    row, number, asked_ms, ready_ms = (column[keep] for column in (row, number, asked_ms, ready_ms))
    if rule.most is not None:
        granted = _granted(row, asked_ms, rule.most, round(rule.window_s * _MS))
        row, number, asked_ms, ready_ms = (column[granted] for column in (row, number, asked_ms, ready_ms))
    return phone[row], number, asked_ms, ready_ms


def _granted(row: I64, asked_ms: I64, most: int, window_ms: int) -> NDArray[np.bool_]:
    """What the system answers: an asking is refused when ``most`` were granted in the window that ends with it.

    Rows are by phone, then by time. All phones take their first asking together, then their second, and so on.
    """
    n = np.bincount(row)
    first = np.cumsum(n) - n
    granted_ms = np.full((len(n), most), _LONG_AGO_MS, dtype=np.int64)
    n_granted = np.zeros(len(n), dtype=np.int64)
    granted = np.zeros(len(row), dtype=np.bool_)
    for turn in range(int(n.max(initial=0))):
        phones = np.flatnonzero(n > turn)
        at = first[phones] + turn
        slot = n_granted[phones] % most
        yes = asked_ms[at] - granted_ms[phones, slot] > window_ms
        granted[at] = yes
        granted_ms[phones[yes], slot[yes]] = asked_ms[at[yes]]
        n_granted[phones[yes]] += 1
    return granted
