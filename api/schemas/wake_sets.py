"""A wake set as JSON."""

from pydantic import BaseModel, Field

from fingerprints.transmitters import is_beacon
from kernel.ids import TransmitterId
from positioning.wake import Place, WakeSet


class WakePlaceOut(BaseModel):
    """An entrance (the id of the map's opening) or a store."""

    kind: str
    id: str
    name: str
    level: str


class WakeTransmitterOut(BaseModel):
    """Wake when it is heard at ``threshold_dbm`` or more. It is a Wi-Fi radio (``bssid``), an iBeacon (``uuid``,
    ``major``, ``minor``) or an Eddystone beacon (``namespace``, ``instance``); the fields of the others are null."""

    bssid: str | None = None
    uuid: str | None = None
    major: int | None = None
    minor: int | None = None
    namespace: str | None = None
    instance: str | None = None
    threshold_dbm: float
    places: list[WakePlaceOut] = Field(description="Where it alone wakes at half of the survey's scans or more")
    recall: float | None = Field(description="Share of the scans at its places at which it wakes")
    false_share: float | None = Field(description="Share of its wakings that were at no place of the kind")


class WakeSetOut(BaseModel):
    """What to watch for, the most useful first; and what the whole set is worth, on survey walks that did not choose
    it: ``recall`` is the share of a place's scans at which it wakes, ``false_share`` the share of wakings elsewhere,
    ``awake_share`` the share of all scans at which it wakes."""

    venue_id: str
    kind: str
    near_m: float
    places: int
    covered: list[WakePlaceOut]
    recall: float | None
    false_share: float | None
    awake_share: float | None
    transmitters: list[WakeTransmitterOut]


def wake_set_out(venue_id: str, chosen: WakeSet) -> WakeSetOut:
    """The wire form of a set."""
    return WakeSetOut(
        venue_id=venue_id,
        kind=chosen.kind,
        near_m=chosen.near_m,
        places=len(chosen.places),
        covered=[_place(place) for place in chosen.covered],
        recall=_round(chosen.recall),
        false_share=_round(chosen.false_share),
        awake_share=_round(chosen.awake_share),
        transmitters=[
            WakeTransmitterOut(
                **_name(item.transmitter),  # type: ignore[arg-type]  # its fields and theirs agree: see _name
                threshold_dbm=item.threshold_dbm,
                places=[_place(place) for place in item.places],
                recall=_round(item.recall),
                false_share=_round(item.false_share),
            )
            for item in chosen.transmitters
        ],
    )


def _place(place: Place) -> WakePlaceOut:
    return WakePlaceOut(kind=place.kind, id=place.id, name=place.name, level=place.level)


def _name(transmitter: TransmitterId) -> dict[str, str | int]:
    if not is_beacon(transmitter):
        return {"bssid": transmitter}
    kind, *parts = transmitter.split(":")
    if kind == "ib":
        return {"uuid": parts[0], "major": int(parts[1]), "minor": int(parts[2])}
    return {"namespace": parts[0], "instance": parts[1]}


def _round(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
