"""Malls and radio models that figures are quoted for: the standard one, that of the published table, a real one's."""

from sim.layout import MallSpec
from sim.radio_spec import RadioSpec

TABLE_MALL = MallSpec(n_levels=5, width_m=120, depth_m=72, island_m=30, frontage_m=(7, 12))
"""The malls of the project's comparison of methods: 5 levels of 120 x 72 m, about 200 stores of 84 to 294 m2."""


XIXI = RadioSpec()
"""Xixi Intime."""

MALLS: dict[str, MallSpec] = {"standard": MallSpec(), "table": TABLE_MALL}
RADIOS: dict[str, RadioSpec] = {"standard": RadioSpec(), "xixi": XIXI}
"""What commands and scenarios call the malls and radio models."""
