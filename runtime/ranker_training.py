"""``atrium ranker train``: makes the rankers that ship, with their model cards."""

import json
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from fingerprints.scan import LabelledScan
from positioning.buildings import build_building_table, hear_buildings
from positioning.model import Settings
from positioning.pairs import make_pairs
from positioning.radio_map import choose_scans, compile_radio_map, encode
from positioning.ranker import Ranker, ranker_to_bytes
from positioning.ranker_fit import N_TREES, PARAMETERS, TrainingSet, fit_booster, flatten_booster, training_set
from positioning.representation import Representation, Weighing, survey_floor_dbm
from positioning.store_map import build_store_map
from runtime.errors import SettingsError
from runtime.files import write_whole
from runtime.ranker_malls import MALLS, make_set
from runtime.rankers import SHIPPED, SIMULATED_ONLY
from runtime.survey_files import SurveyFormat, read_survey
from runtime.zone_files import read_zones, zones_of

LEFT_OUT_USERS = frozenset(f"user-{n}" for n in (3, 4, 7, 9, 18))
"""UJIIndoorLoc's users that figures on its zones are measured with; no ranker sees them."""
_FEWEST_SCANS = 30
Tell = Callable[[float, str], None]


def train_rankers(out: Path, uji: Path | None, zones: Path | None, tell: Tell) -> dict[str, Ranker]:
    """Train both rankers and write them with their cards into a folder; without UJIIndoorLoc, the simulated one alone.

    Raises:
        SettingsError: LightGBM is not installed, or one of the two files of UJIIndoorLoc is missing.
    """
    if (uji is None) != (zones is None):
        raise SettingsError("--uji and --zones go together: the training file, and which zone each of its spaces is")
    try:
        import lightgbm  # noqa: F401
    except ModuleNotFoundError as error:
        raise SettingsError("training the ranker needs LightGBM: `pip install lightgbm`") from error
    simulated = list[TrainingSet]()
    for i, plan in enumerate(MALLS):
        tell(0.8 * i / len(MALLS), f"simulated mall {plan.seed}")
        simulated.append(make_set(plan))
    chosen = {SIMULATED_ONLY: simulated}
    if uji is not None and zones is not None:
        tell(0.8, "UJIIndoorLoc, users left out in turn")
        chosen[SHIPPED] = simulated + uji_sets(read_survey(uji, SurveyFormat.UJIINDOORLOC).scans, read_zones(zones))
    made = dict[str, Ranker]()
    for name, sets in chosen.items():
        tell(0.9, f"growing trees: {name}")
        made[name] = flatten_booster(fit_booster(sets), _sources(sets))
        write_whole(out / f"{name}.npz", ranker_to_bytes(made[name]))
        card = make_card(name, made[name], sets)
        write_whole(out / f"{name}.json", (json.dumps(card, indent=2, sort_keys=True) + "\n").encode())
        write_whole(out / f"{name}.md", card_text(card).encode())
    return made


def uji_sets(scans: Sequence[LabelledScan], zones: dict[str, int]) -> list[TrainingSet]:
    """Each training user's scans, ranked on the survey of the others."""
    usable = [item for item in scans if item.walk not in LEFT_OUT_USERS and item.scan.readings]
    users = sorted({item.walk for item in usable if item.walk is not None})
    n_zones = max(zones.values()) + 1
    out = list[TrainingSet]()
    for number, user in enumerate(users):
        asked = [item for item in usable if item.walk == user]
        survey = [item for item in usable if item.walk != user]
        radio_map = compile_radio_map(survey, None)
        m_zone = zones_of(choose_scans(survey, radio_map.index), zones)
        exponent = 1.6 if number % 2 else float(np.e)
        weighing = Weighing((Representation("powed", exponent),), survey_floor_dbm(radio_map), float("inf"), 96)
        settings = Settings(weighing, 8, 2.0, False, 96, 1.0)
        buildings = build_building_table(radio_map)
        batch = encode([item.scan for item in asked], radio_map.index)
        pairs = make_pairs(
            radio_map,
            settings,
            build_store_map(radio_map, settings, m_zone, n_zones),
            batch,
            building=buildings.of_level,
            evidence=hear_buildings(buildings, batch),
        )
        made = training_set("UJIIndoorLoc without users 3, 4, 7, 9, 18", pairs, zones_of(asked, zones))
        if len(made.group_size) >= _FEWEST_SCANS:
            out.append(made)
    return out


def _sources(sets: Sequence[TrainingSet]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.name for part in sets))


def make_card(name: str, ranker: Ranker, sets: Sequence[TrainingSet]) -> dict[str, Any]:
    """What a ranker is made of, in plain values."""
    scans: dict[str, int] = {}
    for part in sets:
        scans[part.name] = scans.get(part.name, 0) + len(part.group_size)
    return {
        "name": name,
        "sha256": ranker.sha256,
        "kind": "LightGBM lambdarank over pairs of a scan and a candidate store, shipped as flat arrays",
        "trees": N_TREES,
        "parameters": PARAMETERS,
        "lightgbm": version("lightgbm"),
        "scans_by_set": scans,
        "features": list(ranker.features),
        "never_seen": ["Xixi Intime", "UJIB1", "UJIIndoorLoc users 3, 4, 7, 9, 18", "UJIIndoorLoc validation file"],
        "made_by": "atrium ranker train" + (" --uji FILE --zones FILE" if name == SHIPPED else ""),
    }


def card_text(card: dict[str, Any]) -> str:
    """The card for people."""
    rows = "\n".join(f"| {name} | {n} |" for name, n in card["scans_by_set"].items())
    names = ", ".join(f"`{name}`" for name in card["features"])
    left = ", ".join(card["never_seen"])
    return f"""# {card["name"]}

{card["kind"]}. {card["trees"]} trees, made by `{card["made_by"]}` with LightGBM {card["lightgbm"]}.

sha256 of the content: `{card["sha256"]}`

| trained on | scans |
|---|---|
{rows}

Never seen: {left}.

The same at every venue: a venue's survey gives counts, and the weight of this score beside geometry, nothing else.
Figures and where it fails: docs/algorithms/positioning.md. Scores are not probabilities; each venue's calibration makes
them so.

Features: {names}.

Data: UJIIndoorLoc (Torres-Sospedra et al., IPIN 2014, CC BY 4.0), where it is named above; simulated malls are this
project's own (`runtime/ranker_malls.py`).
"""
