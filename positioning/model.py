"""A venue's trained model: the radio map, how to match against it, and what its answers are worth."""

from dataclasses import dataclass, replace

import numpy as np

from kernel.ids import VenueId
from positioning.buildings import BuildingTable, build_building_table
from positioning.fronts import FrontTable
from positioning.inside import build_inside_map
from positioning.kernels.inside import InsideArrays
from positioning.radio_map import I32, I64, RadioMap
from positioning.radios import merge_radios
from positioning.representation import REPRESENTATIONS, MatchIndex, Weighing, build_index

MIN_INSIDE_SCANS = 50
MIN_INSIDE_SHARE = 0.05
"""A survey with less inside stores than this cannot tell inside from before (``Calibration.tells_inside``)."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What cross-validation over the survey's walks chose.

    Args:
        weighing: representations whose distances vote; the first makes the shortlist.
        k: neighbours that vote, in each representation.
        weight_power: p in the weight 1 / d^p.
        use_median: the place is the neighbours' geometric median rather than their mean.
        n_short: survey scans measured in every representation.
        cover: share of a scan's weight that chooses those (``match.match``).
    """

    weighing: Weighing
    k: int
    weight_power: float
    use_median: bool
    n_short: int
    cover: float

    @property
    def measured(self) -> Weighing:
        """All representations, the first of those that vote in front: one index then serves both locators."""
        first = self.weighing.representations[0]
        others = tuple(r for r in REPRESENTATIONS if r != first)
        return replace(self.weighing, representations=(first, *others))

    @property
    def voting(self) -> I64:
        """The columns of the distances by ``measured`` that vote."""
        measured = self.measured.representations
        return np.array([measured.index(r) for r in self.weighing.representations], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What held-out survey answers taught; plain numbers, evaluated by ``confidence.py``.

    Args:
        error: weights of the predicted error's logarithm (``confidence.describe``).
        error_scale: predicted error times it holds 68 % of true places.
        level: weights of the logistic for "the level is right".
        front: weights of the candidates' features in the conditional logit.
        inside: weights of the logistic for "inside any store".
        inside_threshold: ``in_store`` from which a store is named.
        set_threshold: probability from which a candidate belongs to the answer set; ``walkway_set_threshold`` where
            ``in_store`` is under its threshold, as fronts that face each other need wider sets.
        outside: weights of ``locate.Settled.faintness``, above 0 for a scan that was heard outside the venue.
        n_inside: held-out survey scans that were inside a store.
        n_held_out: held-out survey scans in all.
        ranker: the hash of the shared ranker that the next two are for; empty where none was fitted.
        rank: weights that make its scores logits (``full.weigh_evidence``).
        rank_set_threshold, rank_walkway_set_threshold: as the two before, for the full locator.
    """

    error: tuple[float, ...]
    error_scale: float
    level: tuple[float, ...]
    front: tuple[float, ...]
    inside: tuple[float, ...]
    inside_threshold: float
    set_threshold: float
    walkway_set_threshold: float
    outside: tuple[float, ...]
    n_inside: int
    n_held_out: int
    ranker: str = ""
    rank: tuple[float, ...] = ()
    rank_set_threshold: float = 0.0
    rank_walkway_set_threshold: float = 0.0

    @property
    def tells_inside(self) -> bool:
        """Whether the survey went into stores enough to tell inside from before.

        Surveyors who keep to the corridors leave a few scans inside by chance (1 % on the Xixi mall); "inside"
        learnt from those would answer no to everybody. Then ``in_store`` is unknown, which is not the same as low,
        and the front the phone is in or before is named.
        """
        return self.n_inside >= MIN_INSIDE_SCANS and self.n_inside >= MIN_INSIDE_SHARE * self.n_held_out


@dataclass(frozen=True, slots=True)
class VenueModel:
    """All that locating needs.

    ``index`` holds all representations (``Settings.measured``), of which the columns ``voting`` vote. ``m_front`` and
    ``m_inside`` (n_map,) name the store before and around each survey scan, -1 for none; ``front_level`` maps the radio
    map's levels to the table's. ``inside`` is the survey counted by store and walkway.
    ``beacons`` is a model of its own, from the survey's beacons alone, for phones that
    tell nothing else (an iPhone): beside whole survey scans theirs would look like scans of another place. None where
    the survey has not both kinds.

    ``radio_map`` has one column a radio, ``survey`` one an address: the plain reference, wake sets, healing and the
    file are made from it. They are the same object where no radio has two addresses.
    """

    venue_id: VenueId
    radio_map: RadioMap
    survey: RadioMap
    settings: Settings
    calibration: Calibration
    index: MatchIndex
    voting: I64
    buildings: BuildingTable
    fronts: FrontTable | None
    front_level: I32
    m_front: I32
    m_inside: I32
    inside: InsideArrays
    beacons: "VenueModel | None" = None


def assemble_model(
    venue_id: VenueId,
    survey: RadioMap,
    settings: Settings,
    calibration: Calibration,
    fronts: FrontTable | None,
) -> VenueModel:
    """Derive what a model holds beside its parts; the same parts give the same model.

    Args:
        survey: by address, with the numbers of their radios.
    """
    radio_map = merge_radios(survey)
    front_level, m_front, m_inside = survey_fronts(radio_map, fronts)
    return VenueModel(
        venue_id=venue_id,
        radio_map=radio_map,
        survey=survey,
        settings=settings,
        calibration=calibration,
        index=build_index(radio_map, settings.measured),
        voting=settings.voting,
        buildings=build_building_table(radio_map),
        fronts=fronts,
        front_level=front_level,
        m_front=m_front,
        m_inside=m_inside,
        inside=build_inside_map(radio_map, settings.measured, m_inside),
    )


def survey_fronts(radio_map: RadioMap, fronts: FrontTable | None) -> tuple[I32, I32, I32]:
    """(front_level, m_front, m_inside) of a map: what the surveyor said, else what the polygons say."""
    if fronts is None:
        none = np.full(radio_map.n_scans, -1, dtype=np.int32)
        return np.full(len(radio_map.levels), -1, dtype=np.int32), none, none
    front_level = fronts.level_index([level.level_id for level in radio_map.levels])
    front, inside = fronts.nearest(radio_map.xy_m, front_level[radio_map.level])
    said = radio_map.store >= 0
    return front_level, np.where(said, radio_map.store, front), np.where(said, radio_map.store, inside)
