"""Trees, fitted on one survey alone: forests and boosted multiclass. One thread; untuned."""

from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier

from benchmarks.positioning.arrays import ScanArrays, SurveyArrays
from benchmarks.positioning.method import Answers
from benchmarks.positioning.powers import positive
from positioning.radio_map import F32

_ABSENT_DBM = np.float32(-110.0)
"""Below every power: trees split by order, so that "not heard" is the weakest. No other method sees it."""


class Forest:
    """A random forest of 200 trees over stores (without any, over levels)."""

    name: ClassVar[str] = "forest"
    has_chance: ClassVar[bool] = True

    def __init__(self, seed: int) -> None:
        self._model = RandomForestClassifier(n_estimators=200, random_state=seed, n_jobs=1)

    def fit(self, survey: SurveyArrays) -> None:
        self._places = survey.places(fine=False)
        of_scan = self._places.of_scan
        self._model.fit(_filled(survey.dense())[of_scan >= 0], of_scan[of_scan >= 0])

    def answer(self, scans: ScanArrays) -> Answers:
        return self._places.answers(self._model.predict_proba(_filled(scans.dense())), scans.is_heard)


class ForestPlace:
    """A random forest for the level, extra trees for the place; stores by the distance of their polygons."""

    name: ClassVar[str] = "forest-place"
    has_chance: ClassVar[bool] = True

    def __init__(self, seed: int) -> None:
        self._level = RandomForestClassifier(n_estimators=100, random_state=seed, n_jobs=1)
        self._place = ExtraTreesRegressor(n_estimators=40, max_features=0.1, random_state=seed, n_jobs=1)

    def fit(self, survey: SurveyArrays) -> None:
        self._survey, x = survey, _filled(survey.dense())
        self._level.fit(x, survey.radio_map.level)
        self._place.fit(x, survey.radio_map.xy_m)

    def answer(self, scans: ScanArrays) -> Answers:
        x, is_heard = _filled(scans.dense()), scans.is_heard
        level = np.where(is_heard, self._level.predict(x), -1).astype(np.int32)
        xy_m = np.where(is_heard[:, None], self._place.predict(x), np.nan)
        return Answers(level, xy_m, self._survey.fronts_at(xy_m, level))


class BoostedMulticlass:
    """LightGBM multiclass, 80 rounds, over stores (without any, over levels).

    Many classes of about 40 rows make tiny Hessians and diverge under the defaults; these settings train (research:
    positioning, section 5). They draw nothing at random. Powers are positive and sparse: a third of the time of dense.
    """

    name: ClassVar[str] = "lightgbm"
    has_chance: ClassVar[bool] = False

    def __init__(self, seed: int) -> None:
        self._settings: dict[str, Any] = {
            "objective": "multiclass",
            "learning_rate": 0.1,
            "lambda_l2": 5.0,
            "max_delta_step": 1.0,
            "min_sum_hessian_in_leaf": 0.05,
            "num_threads": 1,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }

    def fit(self, survey: SurveyArrays) -> None:
        import lightgbm  # an extra of the tests: the other methods go without

        self._places = survey.places(fine=False)
        self._least_dbm = float(survey.radio_map.readings.rssi_dbm.min())
        of_scan, x = self._places.of_scan, csr_matrix(positive(survey.dense(), self._least_dbm))
        data = lightgbm.Dataset(x[of_scan >= 0], of_scan[of_scan >= 0])
        self._model = lightgbm.train({**self._settings, "num_class": self._places.n}, data, num_boost_round=80)

    def answer(self, scans: ScanArrays) -> Answers:
        x = csr_matrix(positive(scans.dense(), self._least_dbm))
        return self._places.answers(np.asarray(self._model.predict(x, num_threads=1)), scans.is_heard)


def _filled(dense: F32) -> F32:
    return np.where(np.isfinite(dense), dense, _ABSENT_DBM).astype(np.float32)
