"""The words of the pages in each language, and which language a reader gets."""

from collections.abc import Mapping

LANGUAGES = ("en", "zh-Hans", "ru")

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "language_name": "English",
        "title": "Atrium: a simulated mall, alive",
        "lead": "Phones report what radios they hear. Atrium finds the store, the visit and the card.",
        "sim_time": "Mall time",
        "scans": "Scans",
        "positions": "Positions",
        "right_store_share": "Right store",
        "visits": "Store visits",
        "cards": "Cards",
        "coupons": "Coupons",
        "redemptions": "Redeemed",
        "true_place": "true place",
        "found_place": "found, right store",
        "found_wrong": "found, another store",
        "found_walkway": "found, in a walkway",
        "happenings": "As it happens",
        "nobody_yet": "The mall is opening. The first shoppers are on their way.",
        "connecting": "Connecting…",
        "lost": "Connection lost. Trying again…",
        "level": "Level",
        "plan_label": "Floor plan with stores, phones' found places and true places",
        "visit.entered": "entered",
        "visit.exited": "left",
        "delivery.delivered": "card shown",
        "coupon.issued": "coupon issued",
        "coupon.redeemed": "coupon redeemed",
        "minutes": "min",
        "share_note": "of scans made inside a store",
        "no_demo_title": "Atrium is running",
        "no_demo_lead": "The API answers here. Its description: ",
        "no_script": "This page needs JavaScript to draw the plan.",
    },
    "zh-Hans": {
        "language_name": "中文",
        "title": "Atrium：一座正在营业的模拟商场",
        "lead": "手机上报听到的无线信号，Atrium 找到店铺、到访和卡券。",
        "sim_time": "商场时间",
        "scans": "扫描",
        "positions": "定位",
        "right_store_share": "店铺正确率",
        "visits": "到店次数",
        "cards": "卡片",
        "coupons": "优惠券",
        "redemptions": "已核销",
        "true_place": "真实位置",
        "found_place": "定位：店铺正确",
        "found_wrong": "定位：其他店铺",
        "found_walkway": "定位：通道",
        "happenings": "实时动态",
        "nobody_yet": "商场正在开门，第一批顾客在路上。",
        "connecting": "正在连接…",
        "lost": "连接中断，正在重试…",
        "level": "楼层",
        "plan_label": "楼层平面图：店铺、手机的定位与真实位置",
        "visit.entered": "进店",
        "visit.exited": "离店",
        "delivery.delivered": "展示卡片",
        "coupon.issued": "发放优惠券",
        "coupon.redeemed": "核销优惠券",
        "minutes": "分钟",
        "share_note": "按店内扫描计",
        "no_demo_title": "Atrium 正在运行",
        "no_demo_lead": "API 在此应答，其说明：",
        "no_script": "此页面需要 JavaScript 来绘制平面图。",
    },
    "ru": {
        "language_name": "Русский",
        "title": "Atrium: живой торговый центр в модели",
        "lead": "Телефоны сообщают, какие радиосигналы слышат. Atrium находит магазин, визит и карточку.",
        "sim_time": "Время центра",
        "scans": "Сканы",
        "positions": "Положения",
        "right_store_share": "Верный магазин",
        "visits": "Визиты",
        "cards": "Карточки",
        "coupons": "Купоны",
        "redemptions": "Погашено",
        "true_place": "настоящее место",
        "found_place": "найдено, верный магазин",
        "found_wrong": "найдено, другой магазин",
        "found_walkway": "найдено, в проходе",
        "happenings": "Что происходит",
        "nobody_yet": "Центр открывается. Первые покупатели уже в пути.",
        "connecting": "Соединение…",
        "lost": "Связь потеряна. Пробуем снова…",
        "level": "Этаж",
        "plan_label": "План этажа: магазины, найденные и настоящие места телефонов",
        "visit.entered": "вход",
        "visit.exited": "выход",
        "delivery.delivered": "показана карточка",
        "coupon.issued": "выдан купон",
        "coupon.redeemed": "купон погашен",
        "minutes": "мин",
        "share_note": "среди сканов внутри магазинов",
        "no_demo_title": "Atrium работает",
        "no_demo_lead": "Здесь отвечает API. Его описание: ",
        "no_script": "Чтобы нарисовать план, странице нужен JavaScript.",
    },
}


def choose_language(asked: str | None, accept_language: str) -> str:
    """The language asked for, else the first of ``Accept-Language`` that we have, else English.

    >>> choose_language(None, "zh-CN,zh;q=0.9,en;q=0.8")
    'zh-Hans'
    """
    if asked in LANGUAGES:
        return asked
    for part in accept_language.split(","):
        tag = part.partition(";")[0].strip().lower()
        for language in LANGUAGES:
            if tag.split("-")[0] == language.split("-")[0]:
                return language
    return "en"
