"""Webhooks as they are asked for and seen."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.ports import Attempt, Webhook
from api.schemas.events import MOST_TYPES, EventType
from flow.answers import rfc3339


class WebhookIn(BaseModel):
    """An address for events. A misspelt field would silently do nothing, so unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(min_length=1, max_length=2_000, description="https, on the public internet")]
    types: Annotated[list[EventType], Field(max_length=MOST_TYPES, description="Only these; absent or empty: all")] = []


class WebhookOut(BaseModel):
    """A webhook and how it goes: ``failing`` is tried again at ``next_attempt_at``, ``disabled`` never by itself."""

    id: str
    url: str
    types: list[str]
    status: Literal["active", "failing", "disabled"]
    created_at: str
    delivered_at: str | None
    failing_since: str | None
    failures: int
    last_error: str | None
    next_attempt_at: str | None
    disabled_at: str | None

    @classmethod
    def of(cls, webhook: Webhook) -> "WebhookOut":
        """The answer for a stored webhook."""
        return cls(**_fields(webhook))


class NewWebhookOut(WebhookOut):
    """A webhook just made, with its secret, which is shown this once."""

    secret: str

    @classmethod
    def new(cls, webhook: Webhook, secret: str) -> "NewWebhookOut":
        """The answer to its making."""
        return cls(**_fields(webhook), secret=secret)


class AttemptOut(BaseModel):
    """What came of a test: ``error`` is null where the receiver answered 2xx."""

    delivered: bool
    status: int | None
    error: str | None

    @classmethod
    def of(cls, attempt: Attempt) -> "AttemptOut":
        """The answer for an attempt."""
        return cls(delivered=attempt.error is None, status=attempt.status, error=attempt.error)


def _fields(webhook: Webhook) -> dict[str, Any]:
    status = "disabled" if webhook.disabled_at else "failing" if webhook.failures else "active"
    return {
        "id": webhook.id,
        "url": webhook.url,
        "types": list(webhook.types),
        "status": status,
        "created_at": rfc3339(webhook.created_at),
        "delivered_at": _instant(webhook.delivered_at),
        "failing_since": _instant(webhook.failing_since),
        "failures": webhook.failures,
        "last_error": webhook.last_error,
        "next_attempt_at": _instant(webhook.next_attempt_at),
        "disabled_at": _instant(webhook.disabled_at),
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
