"""Campaigns from a JSON file, in the form of ``POST /v1/campaigns``, for ``atrium replay``."""

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from api.schemas.campaigns import CampaignIn
from campaigns.campaign import Campaign, check_campaign
from campaigns.errors import CampaignRefusedError
from kernel.ids import CampaignId, VenueId, derive_id
from runtime.errors import VenueFileError
from runtime.survey_files import read_file
from venues.model import Venue


def read_campaigns(path: Path, venue_id: VenueId, venue: Venue | None) -> list[Campaign]:
    """Read one campaign, a list of them, or ``{"campaigns": [...]}``.

    ``venue_id`` may be left out; ``target`` may name a store or level instead of giving its id:
    ``{"kind": "store", "name": "UNIQLO"}``. Ids come from the content, so a replay repeats them.

    Raises:
        VenueFileError: not JSON, or a field is wrong; names the campaign and field.
    """
    try:
        read = json.loads(read_file(path))
    except (ValueError, RecursionError) as error:
        raise VenueFileError(f"{path} is not JSON: {error}") from error
    held = read.get("campaigns", [read]) if isinstance(read, dict) else read
    if not isinstance(held, list) or not held:
        raise VenueFileError(f"{path}: expected a campaign, a list of them or an object with `campaigns`")
    return [_campaign(path, index, entry, venue_id, venue) for index, entry in enumerate(held)]


def _campaign(path: Path, index: int, entry: Any, venue_id: VenueId, venue: Venue | None) -> Campaign:
    where = f"{path}, campaign {index}"
    if not isinstance(entry, dict):
        raise VenueFileError(f"{where}: expected an object")
    entry = {"venue_id": venue_id, **entry}
    entry["target"] = _named_target(where, entry.get("target"), venue)
    try:
        body = CampaignIn.model_validate_json(json.dumps(entry))
        content = json.dumps(entry, sort_keys=True)
        campaign = body.to_campaign(CampaignId(derive_id("cmp", str(index), content)))
        check_campaign(campaign)
    except ValidationError as error:
        fault = error.errors()[0]
        raise VenueFileError(f"{where}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from error
    except CampaignRefusedError as error:
        raise VenueFileError(f"{where}: {error}") from error
    if campaign.venue_id != venue_id:
        raise VenueFileError(f"{where}: venue_id: expected {venue_id}, found {campaign.venue_id}")
    _check_target(where, campaign, venue)
    return campaign


def _named_target(where: str, target: Any, venue: Venue | None) -> Any:
    if not isinstance(target, dict) or "name" not in target or "id" in target:
        return target
    name, kind = str(target["name"]), target.get("kind")
    if venue is None or kind not in {"store", "level"}:
        raise VenueFileError(f"{where}: target.name works for a store or level of a venue with a map")
    found = (
        [store.id for store in venue.stores if store.name.casefold() == name.casefold()]
        if kind == "store"
        else [level.id for level in venue.levels if name in {level.name, level.short_name}]
    )
    if len(found) != 1:
        raise VenueFileError(f"{where}: target.name: {len(found)} {kind}s are called {name!r}")
    return {"kind": kind, "id": found[0]}


def _check_target(where: str, campaign: Campaign, venue: Venue | None) -> None:
    target = campaign.target
    if target.kind == "zone":
        raise VenueFileError(f"{where}: target.kind: a replay from a file has no zones")
    known: set[str] = {campaign.venue_id} if target.kind == "venue" else set()
    if venue is not None and target.kind in {"store", "level"}:
        known = {place.id for place in (venue.stores if target.kind == "store" else venue.levels)}
    if target.id not in known:
        raise VenueFileError(f"{where}: target.id: the venue has no {target.kind} {target.id!r}")
