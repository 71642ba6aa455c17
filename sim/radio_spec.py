"""The constants of the radio model, each with its unit and where it comes from.

*Table* means the project's own comparison of methods on simulated malls (docs/simulation.md lists it): constants
under which the measured accuracies of plain methods are known. Easier ones would flatter every locator.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RadioSpec:
    """How radio behaves in a mall.

    From the table: densities (400 access points and 120 beacons on 5 levels of 120 x 72 m), ids an access point,
    exponent, wall, floor, shadowing, fading, hand, device offset and gain, sensitivity, random misses, hotspots. Ours,
    because the table does not state them: powers at 1 m (set so that a scan holds about as many ids as there), the
    share of access points with a band at 6 GHz, heights, the loss through an atrium's opening, joint misses, ages.
    What the table has nothing of is none here and fitted in ``sim/presets.py``: access points of the mall's own, with
    ``managed_ids`` networks each; slow fading, which a phone keeps for
    ``slow_s``, of each radio (people in the way) and of all together (``carry_sd_db``: how the phone is held, the
    crowd round it), radios that a whole walk does not hear, shadowing that all radios of a level share at a place
    (``shadowing_shared_sd_db``), noise of each reading beside its radio's fading (``frame_sd_db``), and a soft edge: of
    ``edge_miss_ratio`` of the times a radio must be louder than the receiver needs, by an exponential draw of mean
    ``soft_2_db`` at 2.4 GHz and for beacons, ``soft_5_db`` above. ``body_db`` comes on top:
    with the table's constants alone our malls were easier than the table's (docs/simulation.md gives the figures).
    """

    area_per_access_point_m2: float = 108.0
    area_per_beacon_m2: float = 360.0
    max_ids_per_access_point: int = 4
    area_per_managed_m2: float = float("inf")
    managed_ids: int = 12
    path_exponent: float = 3.0
    attenuation_db_per_m: float = 0.0
    wall_db: float = 4.5
    floor_db: float = 16.0
    atrium_db: float = 4.0
    shadowing_sd_db: float = 5.0
    shadowing_length_m: float = 7.0
    shadowing_shared_sd_db: float = 0.0
    shadowing_shared_length_m: float = 20.0
    fading_sd_db: float = 4.2
    slow_sd_db: float = 0.0
    slow_s: float = 20.0
    carry_sd_db: float = 0.0
    walk_miss_ratio: float = 0.0
    frame_sd_db: float = 0.0
    edge_miss_ratio: float = 0.0
    soft_2_db: float = 0.0
    soft_5_db: float = 0.0
    hand_sd_db: float = 2.5
    body_db: float = 10.0
    device_offset_sd_db: float = 4.5
    device_gain_sd: float = 0.05
    sensitivity_dbm: tuple[float, float] = (-95.0, -88.0)
    miss_ratio: float = 0.12
    radio_miss_ratio: float = 0.05
    hotspots_per_scan: float = 1.5
    wifi_2_power_1m_dbm: float = -35.0
    wifi_5_power_1m_dbm: float = -41.0
    wifi_6_power_1m_dbm: float = -43.0
    share_with_6_ghz: float = 0.2
    beacon_power_1m_dbm: float = -59.0
    power_sd_db: float = 2.0
    storey_m: float = 5.0
    access_point_height_m: float = 3.5
    beacon_height_m: float = 2.5
    phone_height_m: float = 1.2
    mean_age_ms: float = 900.0
    stale_ratio: float = 0.3
    stale_limit_ms: float = 30_000.0
    """A phone's list keeps what it heard up to half a minute ago (real scans: docs/simulation.md)."""


@dataclass(frozen=True, slots=True)
class Ageing:
    """What happens to a venue's radios between two dates; shares of radios, from the table (*churn*).

    Args:
        power_change_db: a re-powered radio sends this much more or less.
        drift_sd_db: of the change of each mast's shadowing: goods, furniture, partitions.
    """

    removed: float = 0.08
    renamed: float = 0.08
    moved: float = 0.03
    repowered: float = 0.06
    power_change_db: float = 6.0
    new: float = 0.06
    drift_sd_db: float = 3.0

    def __post_init__(self) -> None:
        shares = (self.removed, self.renamed, self.moved, self.repowered)
        if min(*shares, self.new, self.drift_sd_db) < 0.0 or sum(shares) > 1.0 or self.new > 1.0:
            raise ValueError(f"expected shares of radios from 0 on that sum to 1 at most, found {self}")
