"""The causal filter: a phone's record and a scan's own answer in, the next record and a better answer out.

The work is ``batch.py``'s. A scan of another level is answered alone and leaves the filter; a second one in a row
moves the filter there.
"""

from collections.abc import Iterable, Sequence

from fingerprints.scan import Scan
from kernel.clock import to_epoch_us
from kernel.ids import VenueId
from positioning.model import VenueModel
from positioning.position import Located
from positioning.track.batch import Batch, Place
from positioning.track.record import unpack
from positioning.track.venue import TrackedVenue


class Tracker:
    """Implements ``ports.Tracker`` over the venues of these models. Stateless: calls may come from several threads.

    Call order: a phone's scans in the order of their instants. A scan that is not newer than the record keeps the
    single scan's answer and changes nothing, so a repeat is harmless. A record holds all there is of a phone: stored
    and read back, the filter goes on as if nothing had happened.
    """

    def __init__(self, models: Sequence[VenueModel]) -> None:
        self._hold(TrackedVenue.of(model) for model in models)

    @classmethod
    def join(cls, trackers: Sequence["Tracker"]) -> "Tracker":
        """One over the venues of them all; a venue of several is that of the last."""
        joined = cls(())
        joined._hold(venue for tracker in trackers for venue in tracker._venues.values())
        return joined

    def _hold(self, venues: Iterable[TrackedVenue]) -> None:
        self._venues = {venue.venue_id: venue for venue in venues}
        self._of_stamp = {venue.stamp: venue_id for venue_id, venue in self._venues.items()}

    def advance(self, record: bytes | None, located: Located, scan: Scan) -> tuple[bytes | None, Located]:
        """One phone, one scan."""
        ((record, located),) = self.advance_many((record,), (located,), (scan,))
        return record, located

    def advance_many(
        self, records: Sequence[bytes | None], located: Sequence[Located], scans: Sequence[Scan]
    ) -> list[tuple[bytes | None, Located]]:
        """Many phones, one scan each; each phone's result depends on its own record, answer and scan alone.

        A phone without a record whose scan has no position gets no record yet.

        Raises:
            TrackRecordError: a record that cannot be read.
        """
        return self._answer(records, located, scans, None)

    def answer_at(
        self,
        records: Sequence[bytes | None],
        located: Sequence[Located],
        scans: Sequence[Scan],
        places: Sequence[Place | None],
    ) -> list[Located]:
        """What the scans are answered where their places are known better than from the records before them.

        Args:
            places: east and north in the venue frame and the radius that holds 68 %, in metres; None to leave it to
                the filter. Stores and inside are filtered as on the live path, but ranked round these places.
        """
        return [answer for _, answer in self._answer(records, located, scans, places)]

    def _answer(
        self,
        records: Sequence[bytes | None],
        located: Sequence[Located],
        scans: Sequence[Scan],
        places: Sequence[Place | None] | None,
    ) -> list[tuple[bytes | None, Located]]:
        out: list[tuple[bytes | None, Located]] = list(zip(records, located, strict=True))
        before = unpack(records)
        is_known, last_us, stamps = (before["level"] >= 0).tolist(), before["at_us"].tolist(), before["stamp"].tolist()
        of_venue: dict[VenueId, list[int]] = {}
        for i, (answer, scan) in enumerate(zip(located, scans, strict=True)):
            if is_known[i] and to_epoch_us(scan.at) <= last_us[i]:
                continue
            venue_id = None if answer.position is None else answer.position.venue_id
            if answer.position is None and is_known[i]:
                venue_id = self._of_stamp.get(stamps[i])
            if venue_id in self._venues:
                of_venue.setdefault(venue_id, []).append(i)
        for venue_id, at in of_venue.items():
            batch = Batch.of(self._venues[venue_id], before[at], [located[i] for i in at], [scans[i] for i in at])
            for i, result in zip(at, batch.run(None if places is None else [places[i] for i in at]), strict=True):
                out[i] = result
        return out
