"""Naive Bayes over stores (without any, over cells of 3 m): multinomial, Gaussian, Gaussian without the offset.

The Gaussian ones count, per place and transmitter: n scans, c of which heard it, their mean and spread, both shrunk
(research: positioning, section 2). A scan's likelihood has a part for the powers heard and one for what was and was
not heard.
"""

from typing import ClassVar

import numpy as np
from scipy.special import softmax
from sklearn.naive_bayes import MultinomialNB

from benchmarks.positioning.arrays import ScanArrays, SurveyArrays
from benchmarks.positioning.method import Answers
from benchmarks.positioning.powers import positive
from positioning.radio_map import F32, F64

_PRIOR_DBM, _PRIOR_SD_DB, _LEAST_SD_DB = -86.0, 6.0, 3.5
_OFFSET_SD_DB = 6.0
_CLIP_SD = 3.5
_PRESENCE, _TEMPER = 0.3, 0.35
"""All of section 2: chosen there on an earlier simulated mall, never on the data measured here."""


class MultinomialBayes:
    """scikit-learn's, with its defaults, on positive powers (dB above the survey's least) as counts."""

    name: ClassVar[str] = "nb-multinomial"
    has_chance: ClassVar[bool] = False

    def __init__(self, seed: int) -> None:
        del seed
        self._model = MultinomialNB(fit_prior=False)

    def fit(self, survey: SurveyArrays) -> None:
        self._places = survey.places()
        self._least_dbm = float(survey.radio_map.readings.rssi_dbm.min())
        of_scan = self._places.of_scan
        power = positive(survey.dense(), self._least_dbm)
        self._model.fit(power[of_scan >= 0], of_scan[of_scan >= 0])

    def answer(self, scans: ScanArrays) -> Answers:
        power = positive(scans.dense(), self._least_dbm)
        return self._places.answers(self._model.predict_proba(power), scans.is_heard)


class GaussBayes:
    """Gaussian powers and independent hearings, as the textbook has it."""

    name: ClassVar[str] = "nb-gauss"
    has_chance: ClassVar[bool] = False

    def __init__(self, seed: int) -> None:
        del seed

    def fit(self, survey: SurveyArrays) -> None:
        """Count; the arrays are (n_transmitters, n_places)."""
        self._places = survey.places()
        dense, of_scan = survey.dense(), self._places.of_scan
        is_heard = np.isfinite(dense)
        members = np.zeros((self._places.n, len(dense)), dtype=np.float32)
        members[of_scan[of_scan >= 0], np.flatnonzero(of_scan >= 0)] = 1.0
        above = np.where(is_heard, dense - np.float32(_PRIOR_DBM), np.float32(0.0))
        c, sums, squares = ((members @ part).T.astype(np.float64) for part in (is_heard, above, above**2))
        variance = np.maximum(squares - sums**2 / np.maximum(c, 1.0), 0.0)  # times c
        n = members.sum(axis=1)
        anywhere = np.clip(is_heard.mean(axis=0), 0.001, 0.9)[:, None]
        hearing = np.clip((c + 0.5 * anywhere + 0.02) / (n + 0.6), 0.003, 0.97)
        self._mean_dbm = _PRIOR_DBM + sums / (c + 1.0)
        self._var = np.maximum((variance + 6.0 * _PRIOR_SD_DB**2) / (c + 6.0), _LEAST_SD_DB**2)
        self._seen = np.minimum(c, 1.0)
        self._trust = np.minimum(c / 2.0, 1.0) / self._var
        self._log_absent = np.log1p(-hearing).sum(axis=0)
        self._log_odds = np.log(hearing) - np.log1p(-hearing)

    def answer(self, scans: ScanArrays) -> Answers:
        likelihood = np.stack([self._score(row) for row in scans.dense()])
        return self._places.answers(softmax(likelihood, axis=1), scans.is_heard)

    def _score(self, row: F32) -> F64:
        """(n_places,) log-likelihood of one scan's dBm."""
        signal, presence = self._parts(row, offset_sd_db=0.0)
        return signal + presence

    def _parts(self, row: F32, *, offset_sd_db: float) -> tuple[F64, F64]:
        """The powers' part, after the offset each place would ask for (none where its sd is 0), and the hearings'."""
        heard = np.flatnonzero(np.isfinite(row))
        away = row[heard, None] - self._mean_dbm[heard]
        offset, prior = np.zeros(self._places.n), np.zeros(self._places.n)
        if offset_sd_db > 0:
            trust = self._trust[heard]
            offset = (trust * away).sum(axis=0) / (offset_sd_db**-2 + trust.sum(axis=0))
            prior = -(offset**2) / (2.0 * offset_sd_db**2)
        z = np.minimum((away - offset) ** 2 / self._var[heard], _CLIP_SD**2)
        seen = self._seen[heard]
        power = (seen * z + (1.0 - seen) * _CLIP_SD**2) / 2.0 + np.log(self._var[heard]) / 2.0
        return prior - power.sum(axis=0), self._log_absent + self._log_odds[heard].sum(axis=0)


class OffsetBayes(GaussBayes):
    """The same with a phone's offset removed for each place and the likelihood tempered."""

    name: ClassVar[str] = "nb-offset"

    def _score(self, row: F32) -> F64:
        signal, presence = self._parts(row, offset_sd_db=_OFFSET_SD_DB)
        return _TEMPER * (signal + _PRESENCE * presence)
