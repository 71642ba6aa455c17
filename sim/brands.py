"""The invented brands that stand in simulated malls: no name here is meant to be a real company's."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Brand:
    """A brand with its names by language and its IMDF occupant category."""

    name_en: str
    name_zh: str
    category: str

    @property
    def names(self) -> dict[str, str]:
        return {"en": self.name_en, "zh-Hans": self.name_zh}


_TABLE: dict[str, tuple[tuple[str, str], ...]] = {
    "fashion": (
        ("Linden & Loom", "椴织"),
        ("Northfold", "北褶"),
        ("Papercrane", "千纸鹤"),
        ("Marlowe Street", "马洛街"),
        ("Tidewear", "潮衣"),
        ("Quillon", "羽衫"),
        ("Sunday Indigo", "周日蓝"),
        ("Fernway", "蕨径"),
        ("Oat & Ember", "麦烬"),
        ("Halcyon Row", "翠鸟里"),
    ),
    "shoes": (("Cobblewick", "石径鞋"), ("Stridely", "步悦"), ("Solemark", "足印"), ("Mossheel", "青跟")),
    "jewelry": (("Aurelle", "金澜"), ("Brightwater", "明水"), ("Ninefold", "九叠珠宝")),
    "cosmetics": (("Petalume", "瓣光"), ("Dewfall", "露落"), ("Clay & Camellia", "泥茶花"), ("Mirrorlake", "镜湖")),
    "electronicappliances": (
        ("Voltmere", "伏特湾"),
        ("Pixelwright", "像素匠"),
        ("Hum & Hertz", "赫兹"),
        ("Lumenate", "流明"),
    ),
    "sportinggoods": (("Ridgeline Sports", "山脊运动"), ("Kestrel Outdoor", "红隼户外"), ("Lapwing", "田凫体育")),
    "books": (("Folio Harbour", "书港"), ("Dog-Ear Books", "折角书店")),
    "toys": (("Tumblewood", "滚木玩具"), ("Kitebox", "风筝盒")),
    "eyewear.opticians": (("Clearfinch", "明雀眼镜"), ("Optaline", "视线")),
    "homedecor": (("Hearth & Hollow", "炉间"), ("Plainspoon", "素匙"), ("Weaver's Nest", "织巢")),
    "restaurant": (
        ("Nine Ladles", "九勺"),
        ("Saffron Lantern", "藏红灯"),
        ("Old Ferry Kitchen", "老渡口"),
        ("Broth Parade", "汤巡"),
        ("Pepper Almanac", "椒历"),
        ("Wok & Willow", "锅柳"),
        ("Little Terrace", "小露台"),
        ("Stone Pot House", "石锅屋"),
    ),
    "coffee": (("Slow Kettle", "慢壶咖啡"), ("Bean Meridian", "豆子午线"), ("Corner Crema", "街角咖啡")),
    "bakedgoods": (("Crumb & Cloud", "屑云面包"), ("Warm Loaf", "暖面包")),
    "desserts": (("Plum Snow", "梅雪"), ("Jelly Orchard", "果冻园")),
    "pharmacy": (("Green Mortar", "青杵药房"),),
    "supermarket": (("Daily Basket", "日篮超市"),),
    "giftshops": (("Ribbon Arcade", "缎带坊"), ("Postcard Pier", "明信片码头")),
    "luggage": (("Longhaul", "长途"), ("Satchel & Sail", "帆囊")),
    "beautysalon": (("Combworks", "梳作"), ("Bluebell Nails", "风铃美甲")),
    "clothing.childrens": (("Pebble Kids", "小石童装"), ("Ladybird Lane", "瓢虫巷")),
}

_ANCHOR_TABLE: dict[str, tuple[tuple[str, str], ...]] = {
    "departmentstore": (
        ("Gallery of Winds", "风廊百货"),
        ("Hopewell & Daughters", "合望百货"),
        ("Tern House", "燕鸥百货"),
    ),
    "cinema": (("Lanternlight Pictures", "灯影影城"), ("Ninth Reel", "九卷影院")),
}
"""Of anchor stores alone; an anchor supermarket is a large branch of an everyday brand."""


def _brands(table: dict[str, tuple[tuple[str, str], ...]]) -> tuple[Brand, ...]:
    return tuple(Brand(name_en, name_zh, category) for category, names in table.items() for name_en, name_zh in names)


EVERYDAY_BRANDS: tuple[Brand, ...] = _brands(_TABLE)
"""The brands of common stores, by category; a mall with more stores than brands opens second branches."""

BRANDS: tuple[Brand, ...] = EVERYDAY_BRANDS + _brands(_ANCHOR_TABLE)
"""Every brand, by category."""

EVERYDAY_CATEGORIES: tuple[str, ...] = tuple(_TABLE)
"""IMDF occupant categories of common stores."""

CATEGORIES: tuple[str, ...] = EVERYDAY_CATEGORIES + tuple(_ANCHOR_TABLE)
"""IMDF occupant categories in use; those of anchor stores alone come last, so that people's draws of the others are
the same without them."""
