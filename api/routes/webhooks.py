"""``/v1/webhooks``: addresses that a tenant's events are posted to (``docs/events.md``)."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from api.access import SeeingWebhooks, ServicesDep, WritingWebhooks
from api.errors import UnknownThingError
from api.ports import T
from api.routes.documents import problems
from api.schemas.pages import Cursor, Limit, PageOut
from api.schemas.webhooks import AttemptOut, NewWebhookOut, WebhookIn, WebhookOut

router = APIRouter(tags=["webhooks"])

WebhookId = Annotated[str, Path(max_length=128, pattern=r"^[A-Za-z0-9_]+$")]


@router.post("/v1/webhooks", status_code=201, responses=problems(400, 401, 403, 409, 413, 422, 503))
async def create_webhook(body: WebhookIn, caller: WritingWebhooks, services: ServicesDep) -> NewWebhookOut:
    """Post events from now on to an address; `secret` signs them (Standard Webhooks) and is shown this once."""
    return NewWebhookOut.new(*await services.webhooks.create(caller.tenant, body.url, body.types))


@router.get("/v1/webhooks", responses=problems(401, 403, 422, 503))
def list_webhooks(
    caller: SeeingWebhooks, services: ServicesDep, limit: Limit = 100, cursor: Cursor = None
) -> PageOut[WebhookOut]:
    """A tenant's webhooks, oldest first, and how each goes."""
    page = services.webhooks.list(caller.tenant, limit, cursor)
    return PageOut(data=[WebhookOut.of(webhook) for webhook in page.data], next_cursor=page.next_cursor)


@router.get("/v1/webhooks/{webhook_id}", responses=problems(401, 403, 404, 422, 503))
def get_webhook(webhook_id: WebhookId, caller: SeeingWebhooks, services: ServicesDep) -> WebhookOut:
    """One webhook, with its last error and next attempt."""
    return WebhookOut.of(_found(services.webhooks.get(caller.tenant, webhook_id), webhook_id))


@router.delete("/v1/webhooks/{webhook_id}", status_code=204, responses=problems(401, 403, 404, 422, 503))
def delete_webhook(webhook_id: WebhookId, caller: WritingWebhooks, services: ServicesDep) -> Response:
    """Send nothing more; its secret is worth nothing from then on."""
    _found(services.webhooks.delete(caller.tenant, webhook_id) or None, webhook_id)
    return Response(status_code=204)


@router.post("/v1/webhooks/{webhook_id}:enable", responses=problems(401, 403, 404, 422, 503))
def enable_webhook(webhook_id: WebhookId, caller: WritingWebhooks, services: ServicesDep) -> WebhookOut:
    """Go on with a disabled webhook, after the last event it was given; no effect on another."""
    return WebhookOut.of(_found(services.webhooks.enable(caller.tenant, webhook_id), webhook_id))


@router.post("/v1/webhooks/{webhook_id}:test", responses=problems(401, 403, 404, 422, 503))
async def test_webhook(webhook_id: WebhookId, caller: WritingWebhooks, services: ServicesDep) -> AttemptOut:
    """Post one `webhook.test` event now, whatever state the webhook is in, and say what came of it."""
    return AttemptOut.of(_found(await services.webhooks.test(caller.tenant, webhook_id), webhook_id))


def _found(thing: T | None, webhook_id: str) -> T:
    if thing is None:
        raise UnknownThingError("webhook", webhook_id)
    return thing
