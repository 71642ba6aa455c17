"""What a phone tells of itself and its owner's consents."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.instants import Instant
from members.device import AgeBand, Purpose


class ConsentIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    purpose: Purpose
    version: Annotated[str, Field(min_length=1, max_length=64)]
    at: Instant


class DeviceIn(BaseModel):
    """The whole record: a consent that is not listed is withdrawn."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(max_length=200)] | None = None
    locale: Annotated[str, Field(max_length=64)] | None = None
    time_zone: Annotated[str, Field(max_length=64)] | None = None
    age_band: AgeBand = AgeBand.UNKNOWN
    consents: Annotated[list[ConsentIn], Field(max_length=50)] = []


class DeviceOut(BaseModel):
    """The record as it now holds, and what it allows."""

    device_id: str
    model: str | None
    locale: str | None
    time_zone: str | None
    age_band: AgeBand
    consents: list[ConsentIn]
    allowed: list[str]
