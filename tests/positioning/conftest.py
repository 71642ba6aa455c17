"""What several of positioning's tests stand on."""

import pytest

from positioning.ranker import Ranker
from runtime.rankers import load_ranker


@pytest.fixture(scope="session")
def ranker() -> Ranker:
    """The one that ships."""
    return load_ranker()
