"""What a polygon of an XYZ10 map stands for, told by its name.

The names are in pinyin. A name that means a service area, a void, a vacant unit and so on is a unit of the
matching IMDF category; parking bays have names such as ``B277``; what is left is a tenant.
"""

import re
from typing import Final

MIN_STORE_M2: Final = 6.0
"""Below stand vending machines and notice boards (1.2 to 5.6 m2 in the Xixi mall): kiosks, not stores."""
MAX_STORE_M2: Final = 6_000.0
"""Above stand whole-floor polygons and anchors (a hypermarket, a cinema) whose front says little about a
place: kept as named rooms. The limits are those of the published figures on the Xixi mall."""
SAME_TENANT_GAP_M: Final = 6.0
"""Polygons of one name this near to each other are one tenant's rooms; in the Xixi mall such parts lie 2 to
6 m apart, separate branches of a brand on one floor 14 to 140 m."""

_PARKING_BAY = re.compile(r"^[A-Z]+\d+$")
_SERVICE_SUFFIX: Final = "fuzhumian"

_UNIT_CATEGORY_BY_NAME: Final = {
    "fuzhumian": "nonpublic",  # service area
    "feikaifangquyu": "nonpublic",  # not open to the public
    "shouhuoqu": "nonpublic",  # goods reception
    "shebeijian": "nonpublic",  # plant room
    "zhongkong": "opentobelow",  # void
    "kongpu": "unspecified",  # vacant shop
    "zhuangxiu": "unspecified",  # being fitted out
    "xishoujian": "restroom",
    "weishengjian": "restroom",
    "dianti": "elevator",
    "zhiti": "elevator",
    "louti": "stairs",
    "zidongfuti": "escalator",
    "futi": "escalator",
    "churukou": "lobby",  # entrance
    "xiuxiqu": "lounge",  # seats for everyone
    "chewei": "parking",
}

_OCCUPANT_CATEGORY_BY_ROOT: Final = {
    # the source's category ids carry no names: meaning told from the tenants that bear them
    "5d35733bdb07255e495599ac": "restaurant",
    "5d35733edb07255e495599ed": "shopping",
    "5d357344db07255e49559a75": "entertainment",
    "5d35734bdb07255e49559b0b": "education",
    "5d357342db07255e49559a41": "services",
}


def unit_category(name: str | None) -> str | None:
    """The IMDF unit category of a facility's name; None when the name is a tenant's."""
    if name is None:
        return "unspecified"
    if name in _UNIT_CATEGORY_BY_NAME:
        return _UNIT_CATEGORY_BY_NAME[name]
    if name.endswith(_SERVICE_SUFFIX) and name[: -len(_SERVICE_SUFFIX)] in _UNIT_CATEGORY_BY_NAME:
        return _UNIT_CATEGORY_BY_NAME[name[: -len(_SERVICE_SUFFIX)]]  # xishoujianfuzhumian
    return "parking" if _PARKING_BAY.match(name) else None


def occupant_category(categories: tuple[str, ...]) -> str:
    """The occupant category of a tenant, from the root of the source's category path."""
    return _OCCUPANT_CATEGORY_BY_ROOT.get(categories[0] if categories else "", "unspecified")
