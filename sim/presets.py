"""Malls and radio models that figures are quoted for: the standard one, that of the published table, a real one's."""

from dataclasses import dataclass, replace

from sim.layout import MallSpec
from sim.radio import PhoneRadio
from sim.radio_spec import RadioSpec

TABLE_MALL = MallSpec(n_levels=5, width_m=120, depth_m=72, island_m=30, frontage_m=(7, 12))
"""The malls of the project's comparison of methods: 5 levels of 120 x 72 m, about 200 stores of 84 to 294 m2."""


@dataclass(frozen=True, slots=True)
class FittedRadio:
    """A radio model fitted to a real venue's survey (``sim.fit``), and the phone that surveyed.

    ``power_db`` is added to the power of all radios at 1 m.
    """

    spec: RadioSpec
    power_db: float
    phone: PhoneRadio

    def to_spec(self) -> RadioSpec:
        """The model for a mall of any plan, its powers included; phones are then drawn, not the one that surveyed."""
        spec = self.spec
        return replace(
            spec,
            wifi_2_power_1m_dbm=spec.wifi_2_power_1m_dbm + self.power_db,
            wifi_5_power_1m_dbm=spec.wifi_5_power_1m_dbm + self.power_db,
            wifi_6_power_1m_dbm=spec.wifi_6_power_1m_dbm + self.power_db,
            beacon_power_1m_dbm=spec.beacon_power_1m_dbm + self.power_db,
        )


XIXI = FittedRadio(
    RadioSpec(
        area_per_access_point_m2=203.8,
        area_per_beacon_m2=3_478.0,
        max_ids_per_access_point=3,
        area_per_managed_m2=823.8,
        managed_ids=12,
        path_exponent=2.522,
        wall_db=7.541,
        floor_db=29.84,
        shadowing_sd_db=1.034,
        fading_sd_db=1.201,
        slow_sd_db=3.750,
        slow_s=57.88,
        walk_miss_ratio=0.0464,
        miss_ratio=0.0325,
        radio_miss_ratio=0.0039,
        hotspots_per_scan=0.0,
        wifi_2_power_1m_dbm=-27.0,
        wifi_5_power_1m_dbm=-33.0,
        mean_age_ms=800.0,
        stale_ratio=0.9993,
    ),
    power_db=6.27,
    phone=PhoneRadio(0.0, 1.0, -92.0),
)
"""Xixi Intime: ``atrium sim fit --venue xixi --trials 420`` on its whole survey; docs/simulation.md compares."""

MALLS: dict[str, MallSpec] = {"standard": MallSpec(), "table": TABLE_MALL}
RADIOS: dict[str, RadioSpec] = {"standard": RadioSpec(), "xixi": XIXI.to_spec()}
"""What a command calls the malls and radio models."""
