"""What can be asked for is what is told and documented."""

import re
from pathlib import Path
from typing import get_args

from api.schemas.events import MOST_TYPES, EventType
from scenes.events import EventType as SceneEventType

PAGE = Path(__file__).resolve().parents[2] / "docs" / "events.md"


def test_the_types_that_can_be_asked_for_are_those_of_the_page() -> None:
    rows = re.findall(r"^\| ((?:`[a-z]+\.[a-z]+`(?:, )?)+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert sorted(listed) == sorted(get_args(EventType))
    assert set(get_args(SceneEventType)) < set(listed)
    assert len(listed) <= MOST_TYPES
