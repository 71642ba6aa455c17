"""Of settings that cost no more to tell, the one whose votes are spread widest."""

import numpy as np
import pytest

from positioning.choose import spread_of_votes


def test_equal_votes_count_as_many_and_one_heavy_vote_as_one() -> None:
    four = np.array([[0.25, 0.25, 0.25, 0.25, 0.0]], dtype=np.float32)
    one = np.array([[1.0, 0.0, 0.0, 0.0, 0.0]], dtype=np.float32)
    uneven = np.array([[0.5, 0.25, 0.25, 0.0, 0.0]], dtype=np.float32)
    none = np.zeros((1, 5), dtype=np.float32)
    assert spread_of_votes(four) == pytest.approx(4.0)
    assert spread_of_votes(one) == pytest.approx(1.0)
    assert spread_of_votes(uneven) == pytest.approx(1.0 / (0.25 + 0.0625 + 0.0625))
    assert spread_of_votes(np.concatenate([four, one, none])) == pytest.approx(2.5)
    assert spread_of_votes(none) == 0.0
