"""Malls and radio models that figures are quoted for: the standard one, that of the published table, a real one's."""

from sim.layout import MallSpec
from sim.radio_spec import RadioSpec

TABLE_MALL = MallSpec(n_levels=5, width_m=120, depth_m=72, island_m=30, frontage_m=(7, 12))
"""The malls of the project's comparison of methods: 5 levels of 120 x 72 m, about 200 stores of 84 to 294 m2."""

ANCHORS_MALL = MallSpec(
    n_levels=3,
    width_m=110,
    depth_m=64,
    row_m=18,
    island_m=18,
    anchors=3,
    parking_levels=1,
    name_en="Egret Court",
    name_zh="白鹭天地",
)
"""A mall with a supermarket, a cinema and a department store at its ends, and a car park below."""


XIXI = RadioSpec(
    area_per_access_point_m2=203.8,
    area_per_beacon_m2=3478.0,
    max_ids_per_access_point=3,
    area_per_managed_m2=823.8,
    path_exponent=2.099,
    attenuation_db_per_m=0.06951,
    wall_db=4.51,
    floor_db=38.69,
    shadowing_sd_db=1.607,
    shadowing_length_m=15.0,
    shadowing_shared_sd_db=6.854,
    fading_sd_db=1.02,
    slow_sd_db=0.8027,
    slow_s=108.6,
    carry_sd_db=0.8642,
    walk_miss_ratio=0.004969,
    frame_sd_db=1.0,
    edge_miss_ratio=0.9993,
    soft_2_db=14.33,
    soft_5_db=0.756,
    hand_sd_db=0.411,
    body_db=2.654,
    device_offset_sd_db=3.337,
    device_gain_sd=0.0,
    sensitivity_dbm=(-92.0, -92.0),
    miss_ratio=0.001173,
    radio_miss_ratio=0.002617,
    hotspots_per_scan=0.0,
    wifi_2_power_1m_dbm=-31.48,
    wifi_5_power_1m_dbm=-35.48,
    wifi_6_power_1m_dbm=-44.48,
    beacon_power_1m_dbm=-60.48,
    mean_age_ms=1121.0,
    stale_ratio=0.9992,
)
"""Xixi Intime: ``atrium sim fit --venue xixi --placing-sd-m 2.3`` on its whole survey; docs/simulation.md compares."""
XIXI_PLACING_SD_M = 2.3
"""How far, on each axis, its surveyors' marked places are taken to be off (``sim.likeness.placing_errors``)."""

MALLS: dict[str, MallSpec] = {"standard": MallSpec(), "table": TABLE_MALL, "anchors": ANCHORS_MALL}
RADIOS: dict[str, RadioSpec] = {"standard": RadioSpec(), "xixi": XIXI}
"""What commands and scenarios call the malls and radio models."""
