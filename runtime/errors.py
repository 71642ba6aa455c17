"""Errors of the runtime.

InputRefusedError
├── SettingsError         an environment variable or option that makes no sense
├── WebhookUrlError       an address that nothing is sent to
├── PaymentFileError      a path that holds no table of payments
└── VenueFileError        a path that holds no venue or survey of the named format
NotFoundError
└── UnknownVenueError     no such venue in this tenant
ConflictError
├── UntrainedVenueError   the venue has no survey or no model yet
├── TooManyWebhooksError  the tenant has as many as it may
├── NoFormerModelError    no version of the model to go back to
└── AlreadyCommittedError the same recorded scans were stored before
PartFailedError
├── StorageError          the database or data folder refused
└── BusyError             more scans or transfers are waiting than are taken; try again shortly
"""

from kernel.errors import ConflictError, InputRefusedError, NotFoundError, PartFailedError


class SettingsError(InputRefusedError):
    """A setting that makes no sense; the message names it."""

    code = "invalid_setting"


class VenueFileError(InputRefusedError):
    """A path that does not hold what its format says."""

    code = "invalid_file"


class PaymentFileError(InputRefusedError):
    """A path that holds no table of payments; of a table, the bad rows alone are refused."""

    code = "invalid_file"


class WebhookUrlError(InputRefusedError):
    """An address that webhooks are not sent to; the message says why, without the address."""

    code = "webhook_url_refused"
    field = "url"


class UnknownVenueError(NotFoundError):
    """No venue of this tenant has the id."""

    code = "unknown_venue"

    def __init__(self, venue_id: str) -> None:
        self.venue_id = venue_id
        super().__init__(f"no venue {venue_id!r}; `atrium venue list` shows those there are")


class UntrainedVenueError(ConflictError):
    """The venue cannot answer yet: it lacks a survey or a model."""

    code = "untrained_venue"


class TooManyWebhooksError(ConflictError):
    """The tenant has as many webhooks as it may."""

    code = "too_many_webhooks"

    def __init__(self, most: int) -> None:
        super().__init__(f"there are {most} webhooks, as many as a tenant may have; delete one first")


class NoFormerModelError(ConflictError):
    """The model's versions hold none that the live one can be replaced by."""

    code = "no_former_model"


class ModelChangedError(ConflictError):
    """A candidate was made from a model that serves no more."""

    code = "model_changed"


class AlreadyCommittedError(ConflictError):
    """A replay that was committed before."""

    code = "already_committed"


class StorageError(PartFailedError):
    """The database or the data folder refused; nothing was stored."""

    code = "storage_failed"


class BusyError(PartFailedError):
    """A queue is full; ``retry_after_s`` says when to come back."""

    code = "busy"

    def __init__(self, retry_after_s: int, what: str = "scans") -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"more {what} are waiting than can be answered soon")
