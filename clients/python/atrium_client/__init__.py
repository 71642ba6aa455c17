"""A client for Atrium's HTTP API: scans in, positions, scenes and cards out; campaigns, coupons, visits.

>>> from atrium_client import Client
>>> with Client("http://127.0.0.1:8000", "device-key") as client:  # doctest: +SKIP
...     wifi = [{"bssid": "0e:74:9c:a7:b2:e4", "rssi_dbm": -43}]
...     answer = client.locate({"at": "2026-11-22T10:00:00Z", "wifi": wifi})
"""

from atrium_client.aio import AsyncClient
from atrium_client.errors import (
    AtriumError,
    AuthError,
    Conflict,
    InvalidInput,
    NotFound,
    QueueBusy,
    QueueDamaged,
    QueueError,
    RateLimited,
    ServerError,
    Unreachable,
    WebhookRefused,
)
from atrium_client.flush import Flushed, Refused
from atrium_client.queue import QueueCounts, ScanQueue
from atrium_client.retry import RetryPolicy
from atrium_client.stream import StreamedEvent
from atrium_client.sync import Client
from atrium_client.webhooks import verify_webhook
from atrium_client.wire import (
    Answer,
    Beacon,
    Campaign,
    CampaignDraft,
    Card,
    Coupon,
    Device,
    NewWebhook,
    Payment,
    PaymentAnswer,
    Position,
    Scan,
    Scene,
    Truth,
    WakeSet,
    Webhook,
    WebhookTest,
    Wifi,
)

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "AsyncClient",
    "AtriumError",
    "AuthError",
    "Beacon",
    "Campaign",
    "CampaignDraft",
    "Card",
    "Client",
    "Conflict",
    "Coupon",
    "Device",
    "Flushed",
    "InvalidInput",
    "NewWebhook",
    "NotFound",
    "Payment",
    "PaymentAnswer",
    "Position",
    "QueueBusy",
    "QueueCounts",
    "QueueDamaged",
    "QueueError",
    "RateLimited",
    "Refused",
    "RetryPolicy",
    "Scan",
    "ScanQueue",
    "Scene",
    "ServerError",
    "StreamedEvent",
    "Truth",
    "Unreachable",
    "WakeSet",
    "Webhook",
    "WebhookRefused",
    "WebhookTest",
    "Wifi",
    "verify_webhook",
]
