"""Zones without polygons: which zone each labelled space of a survey belongs to (``evaluate --stores``)."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fingerprints.scan import LabelledScan
from positioning.evaluate import Evaluation
from positioning.model import VenueModel
from positioning.radio_map import I32, choose_scans
from positioning.ranker import Ranker
from positioning.zones import evaluate_zones
from runtime.errors import VenueFileError
from runtime.home import Home
from runtime.models import load_survey
from runtime.survey_files import read_file


def read_zones(path: Path) -> dict[str, int]:
    """The zone of each space, numbered anew from 0: a CSV with a header whose first two columns are space and zone.

    Raises:
        VenueFileError: it is not such a file.
    """
    rows = csv.reader(io.StringIO(read_file(path).decode("utf-8-sig", errors="replace")))
    try:
        next(rows, None)
        found = {row[0].strip(): int(row[1]) for row in rows if row}
    except (IndexError, ValueError, csv.Error) as error:
        raise VenueFileError(f"{path}: expected rows of a space and its zone's number: {error}") from error
    if not found or min(found.values()) < 0:
        raise VenueFileError(f"{path}: expected spaces, and zones numbered from 0")
    number = {zone: i for i, zone in enumerate(sorted(set(found.values())))}
    return {space: number[zone] for space, zone in found.items()}


def zones_of(scans: Sequence[LabelledScan], zones: dict[str, int]) -> I32:
    """(n,) each scan's zone, -1 for none."""
    named = (item.truth.store_id for item in scans)
    return np.array([-1 if space is None else zones.get(space, -1) for space in named], dtype=np.int32)


def evaluate_stored_zones(
    home: Home,
    model: VenueModel,
    path: Path,
    scans: Sequence[LabelledScan],
    ranker: Ranker | None,
    said: str | None,
) -> Evaluation:
    """Measure a stored venue on labelled spaces. Scans whose zone the survey never reached are left out.

    Raises:
        VenueFileError: the map of zones cannot be read, names no space of the survey, or leaves no scan.
    """
    zones = read_zones(path)
    survey = [item for item in load_survey(home, model.venue_id) if item.scan.readings]
    m_zone = zones_of(choose_scans(survey, model.radio_map.index), zones)
    if len(m_zone) != model.radio_map.n_scans:
        raise VenueFileError(f"the survey has changed since venue {model.venue_id} was trained; train it again")
    truth = zones_of(scans, zones)
    reached = np.flatnonzero(np.isin(truth, m_zone[m_zone >= 0]))
    if len(reached) == 0:
        raise VenueFileError(f"{path}: expected zones that the survey and the labelled scans share, found none")
    asked = [scans[i] for i in reached.tolist()]
    return evaluate_zones(model, m_zone, max(zones.values()) + 1, asked, truth[reached], ranker=ranker, said=said)
