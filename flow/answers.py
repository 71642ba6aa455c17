"""Replies in the wire format of ``POST /v1/scans``."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from campaigns.campaign import Campaign
from campaigns.decide import Delivery
from flow.run_batch import Reply, SceneView
from kernel.ids import CampaignId
from positioning.position import Located, Position


def rfc3339(at: datetime) -> str:
    """An instant as the wire has it: UTC, milliseconds, a final Z."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def position_json(position: Position) -> dict[str, Any]:
    """A position; probabilities to 4 places, degrees to 7 (1 cm)."""
    return {
        "venue_id": position.venue_id,
        "building": position.building,
        "level": position.level,
        "in_store": None if position.in_store is None else round(position.in_store, 4),
        "store_id": position.store_id,
        "store_name": position.store_name,
        "confidence": round(position.confidence, 4),
        "candidates": [
            {"store_id": c.store_id, "store_name": c.store_name, "probability": round(c.probability, 4)}
            for c in position.candidates
        ],
        "store_set": list(position.store_set),
        "location": {"lat": round(position.lat_deg, 7), "lng": round(position.lon_deg, 7)},
        "accuracy_m": round(position.accuracy_m, 2),
        "locator": position.locator,
    }


def located_json(located: Located) -> dict[str, Any]:
    """``reason`` and ``position``: one of them is null."""
    return {
        "reason": None if located.reason is None else located.reason.value,
        "position": None if located.position is None else position_json(located.position),
    }


def reply_json(reply: Reply, campaigns: Mapping[CampaignId, Campaign]) -> dict[str, Any]:
    """One reply without error as JSON values.

    Raises:
        ValueError: the reply carries an error; problems are written by the API.
    """
    if reply.located is None:
        raise ValueError("a refused scan has no answer")
    return {
        "scan_id": reply.scan.scan_id,
        **located_json(reply.located),
        "scene": None if reply.scene is None else _scene_json(reply.scene),
        "cards": [_card_json(delivery, campaigns[delivery.campaign_id]) for delivery in reply.deliveries],
    }


def _scene_json(scene: SceneView) -> dict[str, Any]:
    return {
        "phase": scene.phase.value,
        "visit_id": scene.visit_id,
        "since": None if scene.since is None else rfc3339(scene.since),
        "dwell_s": None if scene.dwell_s is None else round(scene.dwell_s, 3),
        "presence": None if scene.presence is None else scene.presence.value,
    }


def _card_json(delivery: Delivery, campaign: Campaign) -> dict[str, Any]:
    coupon = delivery.coupon
    return {
        "card_id": delivery.card_id,
        "campaign_id": delivery.campaign_id,
        "title": campaign.card.title,
        "body": campaign.card.body,
        "action_url": campaign.card.action_url,
        "coupon": None if coupon is None else {"code": coupon.code, "expires_at": rfc3339(coupon.expires_at)},
        "reason": delivery.explanation,
    }
