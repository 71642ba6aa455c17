"""What the engine holds in memory between batches: scenes, people's ledgers, devices, live campaigns.

A cache of the records and nothing more: whatever is here was committed first, so dropping any of it loses
nothing. One engine owns one database.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.engine import Connection

from campaigns.campaign import Campaign, Zone
from campaigns.decide import Delivery, Ledger, Reason
from fingerprints.scan import Scan
from flow.run_batch import BatchResult, BatchState, Effects, Reply, phones_behind
from kernel.ids import CampaignId, DeviceId, DeviceRef, PersonRef, TenantId, VisitId
from members.device import Device, device_ref
from runtime.records.campaigns import get_zones, given_to, live_campaigns, settled
from runtime.records.devices import get_devices
from runtime.records.fixes import load_days
from runtime.records.history import load_scenes
from runtime.records.people import kin_of, newest_change
from runtime.records.tracks import load_tracks
from scenes.places import PlaceBook
from scenes.record import restore
from scenes.table import SceneTable


@dataclass(slots=True)
class _PersonLedger:
    """Of one person; all refs that are the same person's share it."""

    who: PersonRef
    given_to: dict[CampaignId, int] = field(default_factory=dict)
    settled: dict[tuple[CampaignId, VisitId], frozenset[Reason]] = field(default_factory=dict)


@dataclass(slots=True)
class LiveCampaigns:
    """A tenant's campaigns that may speak, with the cards given so far."""

    campaigns: list[Campaign]
    zones: Mapping[str, Zone]
    given: dict[CampaignId, int]


class LiveState:
    """One tenant's live state. Not thread-safe: the engine's thread owns it."""

    def __init__(self, tenant: TenantId, people_key: bytes) -> None:
        self.tenant = tenant
        self.scenes = SceneTable()
        self.places = PlaceBook()
        self.tracks: dict[DeviceRef, bytes] = {}
        self._at_sensitive: frozenset[DeviceRef] = frozenset()
        self._people_key = people_key
        self._devices: dict[DeviceRef, Device | None] = {}
        self._ledgers: dict[PersonRef, _PersonLedger] = {}
        self._campaigns: LiveCampaigns | None = None
        self._people_as_of = 0
        self.to_recheck: set[DeviceRef] = set()
        """Phones whose record changed since the last sweep: a consent may be gone."""

    def device_ref(self, device_id: DeviceId) -> DeviceRef:
        """The pseudonym of a phone in this tenant."""
        return device_ref(self.tenant, device_id, self._people_key)

    def members(self, connection: Connection, device_ids: Iterable[DeviceId]) -> dict[DeviceId, Device]:
        """The registered devices among these."""
        refs = {device_id: self.device_ref(device_id) for device_id in device_ids}
        missing = [ref for ref in refs.values() if ref not in self._devices]
        if missing:
            found = get_devices(connection, self.tenant, missing)
            self._devices |= {ref: found.get(ref) for ref in missing}
        held = {device_id: self._devices[ref] for device_id, ref in refs.items()}
        return {device_id: device for device_id, device in held.items() if device is not None}

    def device(self, connection: Connection, ref: DeviceRef) -> Device | None:
        """One registered device by its pseudonym."""
        if ref not in self._devices:
            self._devices[ref] = get_devices(connection, self.tenant, [ref]).get(ref)
        return self._devices[ref]

    def campaigns(self, connection: Connection) -> LiveCampaigns:
        """The live campaigns, read anew after ``forget_campaigns``."""
        if self._campaigns is None:
            held = live_campaigns(connection, self.tenant)
            self._campaigns = LiveCampaigns(
                [campaign for campaign, _ in held],
                get_zones(connection, self.tenant),
                {campaign.id: given for campaign, given in held},
            )
        return self._campaigns

    def slice(self, connection: Connection, members: Mapping[DeviceId, Device], scans: Sequence[Scan]) -> BatchState:
        """The state a batch of these scans reads."""
        devices = members.values()
        strangers = [device for device in devices if device.person not in self._ledgers]
        if strangers:
            self._load_ledgers(connection, strangers)
        people = {device.person for device in devices}
        scenes = self.scenes.take([device.ref for device in devices])
        behind = {ref: scenes[ref] for ref in phones_behind(scans, members, scenes)}
        return BatchState(
            scenes,
            Ledger(
                given=dict(self.campaigns(connection).given),
                given_to={
                    (campaign, self._ledgers[person].who): times
                    for person in people
                    for campaign, times in self._ledgers[person].given_to.items()
                },
                settled={key: why for person in people for key, why in self._ledgers[person].settled.items()},
                who={person: self._ledgers[person].who for person in people if self._ledgers[person].who != person},
            ),
            {device.ref: self.tracks[device.ref] for device in devices if device.ref in self.tracks},
            load_days(connection, behind, self.places) if behind else {},
        )

    def keep(self, effects: Effects, at_sensitive: frozenset[DeviceRef] | None = None) -> None:
        """Take over what was just committed; ``at_sensitive`` where it is of a batch."""
        if at_sensitive is not None:
            self._at_sensitive = at_sensitive
        self.scenes.put(effects.scenes)
        for ref, record in effects.scenes.items():
            if record is None:
                self.tracks.pop(ref, None)
        for ref, held in effects.tracks.items():
            if held is None:
                self.tracks.pop(ref, None)
            else:
                self.tracks[ref] = held
        for delivery in effects.deliveries:
            self._keep_delivery(delivery)

    def at_sensitive(self, result: BatchResult) -> frozenset[DeviceRef]:
        """The phones whose tracks no record may hold after a batch: last placed in a sensitive store.

        An answer without a position says of no phone that it left. Changes nothing: ``keep`` takes it over.
        """
        newest: dict[DeviceRef, Reply] = {}
        seen: set[DeviceRef] = set()
        for reply in sorted(result.replies, key=lambda one: one.scan.at):
            ref = None if reply.scan.device_id is None else self.device_ref(reply.scan.device_id)
            if ref is not None and ref in result.effects.tracks:
                newest[ref] = reply
                if reply.is_at_sensitive:
                    seen.add(ref)
        left = {
            ref for ref, reply in newest.items() if reply.located is not None and reply.located.position is not None
        }
        return frozenset(seen | (self._at_sensitive - left))

    def forget_devices(self, refs: Iterable[DeviceRef]) -> None:
        """Read these devices anew when they are next met."""
        for ref in refs:
            self._devices.pop(ref, None)
            self.to_recheck.add(ref)

    def forget_strangers(self) -> None:
        """Drop what is remembered of phones without a scene, so that memory follows the people present."""
        self.tracks = {ref: record for ref, record in self.tracks.items() if ref in self.scenes}
        self._at_sensitive = frozenset(ref for ref in self._at_sensitive if ref in self.tracks)
        self._devices = {ref: device for ref, device in self._devices.items() if ref in self.scenes}
        present = {device.person for device in self._devices.values() if device is not None}
        self._ledgers = {person: ledger for person, ledger in self._ledgers.items() if person in present}

    def forget_campaigns(self) -> None:
        """Read campaigns, zones and ledgers anew before the next batch."""
        self._campaigns = None
        self.forget_people()

    def notice_people(self, connection: Connection) -> None:
        """Read people anew where anybody has become another's since; whoever did it, in whatever process."""
        newest = newest_change(connection, self.tenant)
        if newest != self._people_as_of:
            self._people_as_of = newest
            self.forget_people()

    def forget_people(self) -> None:
        """Read anew who is one person, and what each was given."""
        self._ledgers.clear()

    def _keep_delivery(self, delivery: Delivery) -> None:
        ledger = self._ledgers.setdefault(delivery.person, _PersonLedger(delivery.person))
        key = delivery.campaign_id, delivery.visit_id
        ledger.settled[key] = ledger.settled.get(key, frozenset()) | {delivery.reason}
        if delivery.is_delivered:
            ledger.given_to[delivery.campaign_id] = ledger.given_to.get(delivery.campaign_id, 0) + 1
            if self._campaigns is not None:
                given = self._campaigns.given
                given[delivery.campaign_id] = given.get(delivery.campaign_id, 0) + 1

    def _load_ledgers(self, connection: Connection, devices: Collection[Device]) -> None:
        kin = kin_of(connection, self.tenant, {device.person for device in devices})
        for refs in kin.values():
            ledger = next((self._ledgers[ref] for ref in refs if ref in self._ledgers), None)
            self._ledgers |= dict.fromkeys(refs, ledger or _PersonLedger(refs[0]))
        everyone = sorted({ref for refs in kin.values() for ref in refs})
        for ref in everyone:
            self._ledgers[ref].given_to.clear()
        for (campaign, person), times in given_to(connection, everyone).items():
            held = self._ledgers[person].given_to
            held[campaign] = held.get(campaign, 0) + times
        for person, decided in settled(connection, everyone).items():
            self._ledgers[person].settled.update(decided)


def load_live_states(connection: Connection, people_key: bytes) -> dict[TenantId, LiveState]:
    """The live states as they were at the last commit."""
    states: dict[TenantId, LiveState] = {}
    for tenant, ref, data in load_scenes(connection):
        state = states.setdefault(tenant, LiveState(tenant, people_key))
        state.scenes.put({ref: restore(data, state.places)})
    for tenant, ref, track in load_tracks(connection):
        if tenant in states:
            states[tenant].tracks[ref] = track
    return states
