"""The system at the other end of HTTP: what ``server.Server`` asks, said through the client as phones and tills would.

Visits and events come back under a name for each person and day that nobody can turn around. Phones are told the ids of
their visits, so that a run, which is all of its phones, knows whose name it is.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from atrium_client import CampaignDraft, Client, Conflict, InvalidInput, NotFound, RateLimited, ServerError, Unreachable
from atrium_client.wire import Answer, Device
from campaigns.campaign import Campaign
from fingerprints.scan import LabelledScan, Scan
from sim.outcome import EVENTS
from sim.phones import to_wire
from sim.server import SaidEvent, SaidVisit

T = TypeVar("T")

_LONGEST_PATIENCE_S = 5.0
_ROWS = 1_000


class ServerClock(Protocol):
    """The clock of a server that was started for a run."""

    def set(self, at: datetime) -> None:
        """It is now so late."""
        ...

    def sweep(self) -> None:
        """Let the visits run out that have, by this clock."""
        ...


@dataclass
class HttpServer:
    """One server, its phones' and its tills' side.

    Args:
        pause: waits so many seconds, or raises to end the run; with it a server that is away is waited for, however
            long. None: the client's own patience is enough.
        clock: where the run may set the server's clock and ask for a sweep: a server of its own. None: the server has
            its own time, and sweeps by it.
        wants_truth: send with each scan where it was truly made.
    """

    phones: Client
    till: Client
    pause: Callable[[float], None] | None = None
    clock: ServerClock | None = None
    wants_truth: bool = False
    told_visits: dict[str, str] = field(default_factory=dict)
    """Visit id -> the phone that was told of it."""

    def register(self, device_id: str, device: Device) -> bool:
        """``PUT /v1/devices/{device_id}``."""
        said = self._patiently(lambda: self.phones.put_device(device_id, device))
        return "visits" in said.get("allowed", ())

    def answer(self, scans: Sequence[Scan | LabelledScan], now: datetime) -> list[Answer]:
        """``POST /v1/scans``, one call."""
        self._at(now)
        sent = [to_wire(scan) for scan in scans]
        answers = self._patiently(lambda: self.phones.locate_many(sent))
        for scan, answer in zip(sent, answers, strict=True):
            scene, device_id = answer.get("scene"), scan.get("device_id")
            if scene is not None and scene["visit_id"] is not None and device_id is not None:
                self.told_visits[scene["visit_id"]] = device_id
        return answers

    def redeem(self, code: str, store_id: str, at: datetime, key: str) -> str:
        """``POST /v1/redemptions``."""
        self._at(at)
        try:
            self._patiently(lambda: self.till.redeem(code, store_id, idempotency_key=key))
        except (Conflict, NotFound, InvalidInput) as refused:
            return refused.code
        return "redeemed"

    def sweep(self, now: datetime) -> None:
        """Where the clock is ours, the server sweeps when it is told; else by itself."""
        self._at(now)
        if self.clock is not None:
            self.clock.sweep()

    def close_all(self, now: datetime) -> None:
        """Visits run out; on a server with a time of its own they do so without us."""
        self.sweep(now)

    def _at(self, now: datetime) -> None:
        if self.clock is not None:
            self.clock.set(now)

    def _patiently(self, call: Callable[[], T]) -> T:
        wait_s = 0.2
        while True:
            try:
                return call()
            except (Unreachable, ServerError, RateLimited):
                if self.pause is None:
                    raise
                self.pause(wait_s)
                wait_s = min(wait_s * 2.0, _LONGEST_PATIENCE_S)


@dataclass
class HttpSystem(HttpServer):
    """A server with its desk.

    Args:
        desk: a marketer's key.
        campaign_ids: of the campaigns that were published for this run (``publish``).
    """

    desk: Client = field(kw_only=True)
    campaign_ids: Sequence[str] = field(kw_only=True)

    def visits(self) -> list[SaidVisit]:
        """``GET /v1/visits``, those of this run's phones."""
        rows = self._visit_rows()
        names = self._names(rows)
        return [
            SaidVisit(
                names[row["person_ref"]],
                row["place"]["kind"],
                row["place"]["id"],
                datetime.fromisoformat(row["arrived_at"]),
                datetime.fromisoformat(row["last_inside_at"]),
                row["counted"],
            )
            for row in rows
            if row["person_ref"] in names
        ]

    def events(self) -> list[SaidEvent]:
        """``GET /v1/events``, those of scenes of this run's phones."""
        names = self._names(self._visit_rows())
        found = []
        for row in self.desk.events(limit=_ROWS):
            if row["type"] in EVENTS and row["person_ref"] in names:
                place = row["data"].get("place") or {"kind": None, "id": None}
                at = datetime.fromisoformat(row["time"])
                found.append(SaidEvent(names[row["person_ref"]], row["type"], at, place["kind"], place["id"]))
        return found

    def withheld(self) -> Counter[str]:
        """``GET /v1/deliveries``, those of this run's campaigns that were not delivered, by reason."""
        ids = set(self.campaign_ids)
        rows = self.desk.deliveries(limit=_ROWS)
        return Counter(row["reason"] for row in rows if not row["delivered"] and row["campaign_id"] in ids)

    def given(self) -> tuple[int, ...]:
        """``GET /v1/campaigns/{id}``."""
        found: list[Any] = [self.desk.campaign(one) for one in self.campaign_ids]
        return tuple(int(one["given"]) for one in found)

    def _visit_rows(self) -> list[dict[str, Any]]:
        return list(self.desk.visits(limit=_ROWS))

    def _names(self, rows: Sequence[dict[str, Any]]) -> dict[str, str]:
        """The desk's name of each person and day -> the phone."""
        told = self.told_visits
        return {row["person_ref"]: told[row["id"]] for row in rows if row["id"] in told}


def publish(desk: Client, campaigns: Sequence[Campaign]) -> list[str]:
    """Write and publish campaigns; their ids are the server's."""
    return [desk.publish_campaign(desk.create_campaign(draft_of(one))["id"])["id"] for one in campaigns]


def draft_of(campaign: Campaign) -> CampaignDraft:
    """A campaign as a marketer sends it."""
    offer, trigger = campaign.offer, campaign.trigger
    return {
        "name": campaign.name,
        "venue_id": campaign.venue_id,
        "target": {"kind": campaign.target.kind, "id": campaign.target.id},
        "trigger": {
            "on": trigger.on,
            "dwell_s": trigger.dwell_s,
            "min_confidence": trigger.min_confidence,
            "min_margin": trigger.min_margin,
        },
        "starts_at": campaign.starts_at.isoformat(),
        "ends_at": campaign.ends_at.isoformat(),
        "budget": campaign.budget,
        "per_person": campaign.per_person,
        "card": {"title": campaign.card.title, "body": campaign.card.body, "action_url": campaign.card.action_url},
        "offer": None
        if offer is None
        else {"kind": offer.kind, "value": offer.value, "currency": offer.currency, "valid_s": offer.valid_s},
    }
