"""The phones' earlier scans, where they may be remembered: single answers in, tracked answers and records out."""

from collections.abc import Mapping, Sequence

from fingerprints.scan import Scan
from kernel.ids import DeviceRef
from positioning.ports import Tracker
from positioning.position import Located


def track(
    tracker: Tracker,
    scans: Sequence[Scan],
    located: Sequence[Located],
    phones: Sequence[DeviceRef | None],
    tracks: Mapping[DeviceRef, bytes],
) -> tuple[list[Located], dict[DeviceRef, bytes]]:
    """Answer a batch's scans in the light of the scans before them.

    A phone's scans are taken in the order of their instants, ties in the order given; those of different phones
    together, the first of each, then the second. No argument changes.

    Args:
        phones: whose scan it is, None where nothing may be remembered: its single answer stands.
        tracks: the records of the batch's phones.

    Returns:
        The answers in the order of the scans, and the records that changed.
    """
    answers = list(located)
    changed: dict[DeviceRef, bytes] = {}
    for turn in _turns(scans, phones):
        before = [changed.get(phone, tracks.get(phone)) for phone, _ in turn]
        found = tracker.advance_many(before, [located[i] for _, i in turn], [scans[i] for _, i in turn])
        for (phone, i), held, (record, answer) in zip(turn, before, found, strict=True):
            answers[i] = answer
            if record is not None and record != held:
                changed[phone] = record
    return answers, changed


def _turns(scans: Sequence[Scan], phones: Sequence[DeviceRef | None]) -> list[list[tuple[DeviceRef, int]]]:
    """Each phone's first scan, then each phone's second, and so on."""
    n_taken: dict[DeviceRef, int] = {}
    turns: list[list[tuple[DeviceRef, int]]] = []
    for i in sorted(range(len(scans)), key=lambda at: scans[at].at):
        phone = phones[i]
        if phone is None:
            continue
        turn = n_taken.get(phone, 0)
        n_taken[phone] = turn + 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append((phone, i))
    return turns
