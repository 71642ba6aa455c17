"""Errors of rhythm.

InputRefusedError
└── TooFewVisitsError     the log cannot identify the model: too few people, or too few who came again
PartFailedError
└── NotConvergedError     the fit found no inner maximum; its last figures are no parameters
"""

from kernel.errors import InputRefusedError, PartFailedError


class TooFewVisitsError(InputRefusedError):
    """A log that cannot identify a model; says what was needed and what was found."""

    code = "too_few_visits"

    def __init__(self, what: str, needed: int, found: int) -> None:
        super().__init__(f"expected at least {needed} {what}, found {found}")
        self.what, self.needed, self.found = what, needed, found


class NotConvergedError(PartFailedError):
    """The likelihood has no maximum within the bounds, or the search did not reach it."""

    code = "fit_not_converged"

    def __init__(self, reason: str, parameters: tuple[float, ...]) -> None:
        super().__init__(f"the fit did not converge: {reason}, at {parameters}")
        self.reason, self.parameters = reason, parameters
