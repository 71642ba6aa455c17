"""A data card as a Markdown page: front matter as on Hugging Face, sections as in *Datasheets for Datasets*."""

from collections.abc import Mapping, Sequence
from typing import Any

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def card_to_markdown(card: Mapping[str, Any]) -> str:
    """The page of a card of ``card.make_card``."""
    counts, dates, mall, radio = card["counts"], card["dates"], card["mall"], card["radio"]
    parts = [
        _front_matter(card),
        f"# {card['title']}",
        "**Simulated**: no phone, person or place in it is real. "
        f"{counts['scans']:,} labelled Wi-Fi and BLE scans of {counts['phones']} phones on {counts['walks']:,} walks in"
        f" a mall of {mall['stores']} stores on {len(mall['levels'])} levels. The same facts for programs: "
        f"`{card['file']['name']}.card.json`.",
        "## Motivation",
        "Why it was made: to compare indoor locators where the truth is known. Good for:",
        _list(card["uses"]),
        "## Composition",
        _counts_table(counts),
        _quantile_table(
            {
                "readings a scan": counts["readings_a_scan"],
                "of them at most 5 s old": counts["readings_a_scan_at_most_5_s_old"],
                "power of a reading, dBm": counts["rssi_dbm"],
                "scans a store": counts["scans_a_store"],
            }
        ),
        "### Fields",
        _table(
            ("field", "unit", "meaning"), [(f"`{row['field']}`", row["unit"], row["meaning"]) for row in card["fields"]]
        ),
        f"Truth is in {mall['frame']['truth']}. The mall's south-west corner lies at {mall['frame']['origin_lat']},"
        f" {mall['frame']['origin_lng']}.",
        "## Collection",
        "### Dates",
        _dates_text(dates),
        "### Phones",
        _phones_text(card["phones"]),
        "### Simulated",
        _list(card["simulated"]),
        "### Not simulated",
        _list(card["not_simulated"]),
        f"### Constants of the mall (`{mall['preset']}`)",
        _table(("constant", "value"), [(f"`{name}`", _value(value)) for name, value in mall["constants"].items()]),
        f"### Constants of the radio (`{radio['preset']}`)",
        "Where each comes from: docs/simulation.md, sim/radio_spec.py, sim/presets.py.",
        _table(("constant", "value"), [(f"`{name}`", _value(value)) for name, value in radio["constants"].items()]),
        "## Labelling",
        "Places are those from which the scans were simulated: exact. A store is named where the phone is inside its"
        " polygon. Nothing was cleaned or left out.",
        "## Known limits",
        _list(card["limits"]),
        "## Distribution",
        f"Licence: {card['licence']}. It holds nobody's data.",
        "## Maintenance",
        f"Made anew by\n\n```\n{card['made_by']['command']}\n```",
        f"with Atrium {card['made_by']['version']} and numpy {card['made_by']['numpy']}; the same versions give the"
        " same bytes.",
        f"sha256 of `{card['file']['name']}` ({card['file']['bytes']:,} bytes):\n`{card['file']['sha256']}`",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(card: Mapping[str, Any]) -> str:
    n = card["counts"]["scans"]
    size = next((name for limit, name in _SIZES if n < limit), "n>1M")
    lines = [
        "---",
        f'pretty_name: "{card["title"]}"',
        f"license: {card['licence'].lower()}",
        f"size_categories: [{size}]",
        "annotations_creators: [machine-generated]",
        "source_datasets: [original]",
        "tags: [indoor-positioning, wifi, ble, fingerprinting, simulated]",
        "configs:",
        "  - config_name: default",
        f'    data_files: "{card["file"]["name"]}"',
        "---",
    ]
    return "\n".join(lines)


def _counts_table(counts: Mapping[str, Any]) -> str:
    rows: list[tuple[str, str]] = [
        ("scans", f"{counts['scans']:,}"),
        ("of them inside stores", f"{counts['scans_in_stores']:,}"),
        ("in corridors", f"{counts['scans_in_corridors']:,}"),
    ]
    rows += [
        (f"level {level}", f"{n['in_stores']:,} in stores, {n['in_corridors']:,} in corridors")
        for level, n in counts["by_level"].items()
    ]
    rows += [
        ("walks", f"{counts['walks']:,}"),
        ("phones", f"{counts['phones']:,}"),
        ("stores with a scan", f"{counts['stores_with_scans']} of {counts['stores']}"),
        ("readings", f"{counts['readings']:,}"),
        ("transmitters of the mall that were heard", f"{counts['transmitters_heard']:,}"),
        ("passing hotspots that were heard", f"{counts['hotspots_heard']:,}"),
        ("first and last scan", f"{counts['first_at']}, {counts['last_at']}"),
    ]
    return _table(("what", "count"), rows)


def _dates_text(dates: Mapping[str, Any]) -> str:
    ids, times = dates["transmitter_ids"], dates["radios_aged_times"]
    lines = [f"The mall's first survey is of {dates['first_survey']}, this file of {dates['this_file']}."]
    if times == 0:
        lines.append("The radios are those of the first survey: they have not aged.")
    else:
        shares = dates["one_ageing"]
        lines.append(
            f"Between the two the radios aged {times} time{'s' if times > 1 else ''} ({dates['rule']}). In one ageing"
            f" {shares['removed']:.0%} of the radios are removed, {shares['renamed']:.0%} get new addresses,"
            f" {shares['moved']:.0%} move on their level, {shares['repowered']:.0%} change their power by"
            f" {shares['power_change_db']:g} dB, {shares['new']:.0%} are new, and the shadowing drifts by"
            f" {shares['drift_sd_db']:g} dB (standard deviation)."
        )
        lines.append(
            f"Of {ids['on_first_survey']:,} transmitter ids of the first survey's date {ids['gone']:,} are gone;"
            f" {ids['new']:,} of {ids['on_this_date']:,} are new since."
        )
    return " ".join(lines)


def _phones_text(phones: Mapping[str, Any]) -> str:
    drawn = "; ".join(f"`{name}` {how}" for name, how in phones["drawn_from"].items())
    table = _quantile_table({f"`{name}`": phones[name] for name in ("offset_db", "gain", "sensitivity_dbm")})
    return f"Drawn: {drawn}. A phone reads {phones['read_as']}. {phones['beside_other_sets'].capitalize()}.\n\n{table}"


def _quantile_table(rows: Mapping[str, Mapping[str, float] | None]) -> str:
    present = {name: found for name, found in rows.items() if found is not None}
    if not present:
        return ""
    heads = list(next(iter(present.values())))
    return _table(("", *heads), [(name, *(f"{found[head]:,}" for head in heads)) for name, found in present.items()])


def _value(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " to ".join(f"{part:.12g}" for part in value)
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _list(items: Sequence[str]) -> str:
    return "\n".join(f"- {item}" for item in items)
