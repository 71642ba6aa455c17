"""Secrets and signatures of webhooks.

Source: Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md).
"""

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Final

SECRET_PREFIX: Final = "whsec_"  # noqa: S105  # what each begins with
_SECRET_BYTES: Final = 32


def secret_of(webhook_id: str, server_key: bytes) -> str:
    """The secret of a webhook: made anew from its id whenever it is needed, stored nowhere.

    See ``docs/decisions/0006-webhook-secrets.md``.
    """
    digest = hashlib.blake2b(webhook_id.encode(), key=server_key, digest_size=_SECRET_BYTES).digest()
    return SECRET_PREFIX + base64.b64encode(digest).decode()


def signed_headers(secret: str, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers that let a receiver check who sent a body, and when."""
    second = str(int(at.timestamp()))
    signed = b".".join((message_id.encode(), second.encode(), body))
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": message_id, "webhook-timestamp": second, "webhook-signature": f"v1,{signature}"}
