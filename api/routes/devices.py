"""``PUT /v1/devices/{device_id}``: what a phone is, and what its owner allowed."""

from typing import Annotated
from zoneinfo import available_timezones

from fastapi import APIRouter, Path

from api.access import Registering, ServicesDep
from api.routes.documents import problems
from api.schemas.devices import ConsentIn, DeviceIn, DeviceOut
from kernel.ids import DeviceId
from members.device import Consent, allowance_of
from members.errors import DeviceRefusedError

router = APIRouter(tags=["members"])

DeviceIdPath = Annotated[str, Path(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]


@router.put("/v1/devices/{device_id:path}", include_in_schema=False)  # makers' ids hold slashes (Base64 does)
@router.put(
    "/v1/devices/{device_id}",
    summary="Register a phone and the consents of its owner",
    responses=problems(400, 401, 403, 413, 422, 503),
)
def put_device(device_id: DeviceIdPath, body: DeviceIn, caller: Registering, services: ServicesDep) -> DeviceOut:
    """Store the whole record. A consent not in the list is withdrawn, effective with the next batch."""
    seen: set[str] = set()
    for index, consent in enumerate(body.consents):
        if consent.purpose in seen:
            raise DeviceRefusedError(f"consents[{index}].purpose", f"{consent.purpose.value} is listed twice")
        seen.add(consent.purpose)
    if body.time_zone is not None and body.time_zone not in available_timezones() - {"localtime", "Factory"}:
        raise DeviceRefusedError("time_zone", f"{body.time_zone!r} is not an IANA time zone")
    device = services.devices.put(
        caller.tenant,
        DeviceId(device_id),
        age_band=body.age_band,
        consents=[Consent(consent.purpose, consent.version, consent.at) for consent in body.consents],
        model=body.model,
        locale=body.locale,
        time_zone=body.time_zone,
    )
    allowed = allowance_of(device)
    names = {
        "visits": allowed.keeps_visits,
        "analytics": allowed.feeds_analytics,
        "cards": allowed.gets_cards,
        "tags": allowed.keeps_tags,
    }
    return DeviceOut(
        device_id=device_id,
        model=device.model,
        locale=device.locale,
        time_zone=device.time_zone,
        age_band=device.age_band,
        consents=[ConsentIn(purpose=c.purpose, version=c.version, at=c.at) for c in device.consents],
        allowed=[name for name, is_allowed in names.items() if is_allowed],
    )
