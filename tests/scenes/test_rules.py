"""Rule files that make no sense are refused with the key at fault."""

import pytest

from scenes.errors import RulesError, SnapshotError
from scenes.places import PlaceBook
from scenes.record import new_record, restore, snapshot
from scenes.rules import parse_rules


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"kk": 3}, "kk"),
        ({"k": 6, "n": 5}, "k=6"),
        ({"k": 0}, "k=0"),
        ({"n": 8}, "n=8"),
        ({"switch_k": 2}, "switch_k=2"),
        ({"switch_k": 6}, "switch_k=6"),
        ({"switch_evidence": 1.5}, "switch_evidence"),
        ({"switch_hold_s": -1}, "switch_hold_s"),
        ({"alone_evidence": 2.5}, "alone_evidence"),
        ({"slow": {"store": {"kk": 1}}}, "kk"),
        ({"sparse": 3}, "sparse"),
        ({"dwell_marks_s": list(range(9))}, "dwell marks"),
        ({"k": "3"}, "k"),
        ({"k": True}, "k"),
        ({"min_dwell_s": -1}, "min_dwell_s"),
        ({"min_dwell_s": float("nan")}, "min_dwell_s"),
        ({"store": 3}, "store"),
        ({"store": {"dwell_marks_s": 3}}, "dwell_marks_s"),
        ({"min_evidence": 1.5}, "min_evidence"),
    ],
)
def test_nonsense_names_its_key(table: dict[str, object], said: str) -> None:
    with pytest.raises(RulesError, match=said):
        parse_rules(table)


@pytest.mark.parametrize("data", [b"", b"\x00", b"{}", snapshot(new_record(), PlaceBook())[:-1]])
def test_a_damaged_snapshot_is_refused(data: bytes) -> None:
    with pytest.raises(SnapshotError):
        restore(data, PlaceBook())
