"""Errors of positioning.

PartFailedError
├── BundleError         a model file that is damaged, of another format or for another map
├── RankerError         a ranker that is absent, damaged or made for other features
└── TrackRecordError    a phone's track that cannot be read back
InputRefusedError
├── SurveyTooSmallError  a survey from which no radio map can be made
└── NothingToHealError   scans that teach a model nothing
"""

from kernel.errors import InputRefusedError, PartFailedError


class BundleError(PartFailedError):
    """A model bundle that cannot be used; ``detail`` says what is wrong with it."""

    code = "bad_model_bundle"

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(f"model bundle: {detail}")


class RankerError(PartFailedError):
    """A ranker that cannot be used; ``detail`` says what is wrong with it."""

    code = "bad_ranker"

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(f"ranker: {detail}")


class TrackRecordError(PartFailedError):
    """A phone's track that cannot be read back; ``detail`` says what is wrong with it."""

    code = "bad_track_record"

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(f"track record: {detail}")


class SurveyTooSmallError(InputRefusedError):
    """A survey with too few usable scans or transmitters; carries both counts."""

    code = "survey_too_small"

    def __init__(self, n_scans: int, n_transmitters: int) -> None:
        self.n_scans = n_scans
        self.n_transmitters = n_transmitters
        super().__init__(
            f"expected a survey with scans that share transmitters, found {n_scans} usable scans"
            f" and {n_transmitters} transmitters heard often enough"
        )


class NothingToHealError(InputRefusedError):
    """Scans that teach a model nothing; the message says what is missing."""

    code = "nothing_to_heal"
