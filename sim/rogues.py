"""Phones that lie: scans heard elsewhere, scans of radios that nobody has surveyed, scans of far places in turn.

Their truth is outside: whatever visit or coupon comes of them is false.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fingerprints.scan import Reading
from kernel.ids import TransmitterId
from sim.chance import F64, I64
from sim.listening import Crowd, draw_phones
from sim.scenario import RogueSpec
from sim.world import World

_ROGUES = 91
_INVENTED_READINGS = 25


@dataclass(frozen=True)
class RogueScans:
    """The scans of all rogues of a day, by instant; ``rogue`` counts them, replays first, then invents, then jumps."""

    n: int
    seed: int
    rogue: I64
    at_s: F64
    heard: tuple[tuple[Reading, ...], ...]

    def device_id(self, rogue: int, day: int) -> str:
        """A phone of each rogue, another each day."""
        return f"rogue-{self.seed}-{day}-{rogue}"

    def readings(self, row: int) -> tuple[Reading, ...]:
        """What a scan claims to have heard."""
        return self.heard[row]


def plan_rogues(spec: RogueSpec, world: World, day: int) -> RogueScans:
    """A day's lies, all day long while the mall is open.

    Each rogue replays what one phone heard in the middle of a store: always the same store, or for jumps another one
    each time.
    """
    rng = np.random.default_rng([world.seed, _ROGUES, day])
    hours = world.mall.spec.closes_hour - world.mall.spec.opens_hour
    n_each = int(hours * 3_600.0 / spec.period_s) if spec.n else 0
    rogue = np.tile(np.arange(spec.n, dtype=np.int64), n_each)
    at_s = np.repeat(np.arange(n_each) * spec.period_s, spec.n) + np.tile(rng.uniform(0, spec.period_s, spec.n), n_each)
    order = np.argsort(at_s, kind="stable")
    rogue, at_s = rogue[order], at_s[order]
    invents = (rogue >= spec.replays) & (rogue < spec.replays + spec.invents)
    heard: list[tuple[Reading, ...]] = [()] * len(rogue)
    for row in np.flatnonzero(invents).tolist():
        heard[row] = _invented(rng)
    copies = np.flatnonzero(~invents)
    if len(copies):
        for row, readings in zip(copies.tolist(), _copied(spec, world, rogue[copies], at_s[copies], rng), strict=True):
            heard[row] = readings
    return RogueScans(spec.n, world.seed, rogue, at_s, tuple(heard))


def _copied(
    spec: RogueSpec, world: World, rogue: I64, at_s: F64, rng: np.random.Generator
) -> list[tuple[Reading, ...]]:
    stores = world.mall.venue.stores
    home = rng.integers(0, len(stores), spec.n)
    store = np.where(rogue < spec.replays, home[rogue], rng.integers(0, len(stores), len(rogue)))
    level_index = {level.id: i for i, level in enumerate(world.mall.venue.levels)}
    level: NDArray[np.int64] = np.array([level_index[stores[i].level_id] for i in store.tolist()], dtype=np.int64)
    xy_m = np.array([(stores[i].area.centroid.x, stores[i].area.centroid.y) for i in store.tolist()])
    crowd = Crowd(draw_phones(spec.n, world.radio.spec, rng), int(rng.integers(2**63)))
    at_ms = np.rint(at_s * 1_000.0).astype(np.int64)
    heard = world.radio.hear(level, xy_m, crowd, rng, who=rogue, at_ms=at_ms)
    return world.radio.readings(heard, rng)


def _invented(rng: np.random.Generator) -> tuple[Reading, ...]:
    octets = rng.integers(0, 256, (_INVENTED_READINGS, 5))
    rssi_dbm = rng.integers(-90, -40, _INVENTED_READINGS).tolist()
    names = sorted({":".join(f"{octet:02x}" for octet in (0x06, *row)) for row in octets.tolist()})
    return tuple(
        Reading(TransmitterId(name), float(power), 500.0, 2_437) for name, power in zip(names, rssi_dbm, strict=False)
    )
