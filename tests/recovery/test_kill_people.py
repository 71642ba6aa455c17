"""The short version of ``python -m benchmarks.kill_people``."""

from benchmarks.kill_people import run


def test_a_death_leaves_nobody_half_joined() -> None:
    assert run(n_kills=4, households=40)["kills"] == 4
