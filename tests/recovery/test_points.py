"""Points that were acknowledged survive kill -9 at any moment, and no transfer is stored by halves."""

from pathlib import Path

from benchmarks.points import kill


def test_acknowledged_transfers_survive_kill_9_and_none_is_half_done(tmp_path: Path) -> None:
    """The short version of ``atrium bench points``."""
    told = kill(tmp_path / "a.db", n_kills=4, seed=5, longest_s=0.6)
    assert told["acknowledged"] > 100
    assert (told["lost"], told["halves"], told["differences"]) == (0, 0, 0), told
