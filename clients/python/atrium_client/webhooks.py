"""Whether a webhook was sent by the server that holds its secret, and just now (Standard Webhooks 1.0)."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import cast

from atrium_client.errors import WebhookRefused
from atrium_client.wire import Json

TOLERANCE_S = 300.0
"""How old a message may be, or how far ahead: a copy that someone kept is worth nothing later."""
_PREFIX = "whsec_"


def verify_webhook(
    secret: str,
    headers: Mapping[str, str],
    body: bytes | str,
    *,
    tolerance_s: float = TOLERANCE_S,
    now_s: float | None = None,
) -> Json:
    """The event in the body of a webhook, if its signature holds.

    Args:
        secret: what the webhook's making showed, ``whsec_...``.
        headers: of the request, in any case.
        body: the bytes as they came: JSON that was parsed and written anew has another signature.
        now_s: seconds since 1970; the machine's clock where absent.

    Raises:
        WebhookRefused: a header is missing, the time is off, no signature fits, or the body is no JSON object.
    """
    held = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, stamp = held["webhook-id"], held["webhook-timestamp"]
        signatures = held["webhook-signature"].split()
    except KeyError as missing:
        raise WebhookRefused(f"the header {missing} is missing") from None
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise WebhookRefused("webhook-timestamp is no number of seconds")
    if abs((time.time() if now_s is None else now_s) - int(stamp)) > tolerance_s:
        raise WebhookRefused(f"the message is more than {tolerance_s:g} s from now")
    content = body.encode() if isinstance(body, str) else body
    signed = b".".join((message_id.encode(), stamp.encode(), content))
    expected = base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest())
    given = [text.removeprefix("v1,").encode() for text in signatures if text.startswith("v1,")]
    if not any([hmac.compare_digest(expected, one) for one in given]):  # noqa: C419  # all are compared, always
        raise WebhookRefused("no signature fits")
    try:
        event = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise WebhookRefused(f"the body is no JSON: {error}") from None
    if not isinstance(event, dict):
        raise WebhookRefused("the body is no JSON object")
    return cast("Json", event)


def _key(secret: str) -> bytes:
    text = secret.removeprefix(_PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the secret is not base64 after whsec_") from None
    if not key:
        raise ValueError("the secret is empty")
    return key
