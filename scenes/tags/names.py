"""The closed set of tags, and the words for their subjects."""

from enum import StrEnum


class TagName(StrEnum):
    """Every tag there is, in the order of the kernels' numbers (``NAMES``). docs/algorithms/tags.md defines each."""

    NEW = "new"
    RETURNING = "returning"
    LOYAL = "loyal"
    LAPSING = "lapsing"
    FREQUENCY_WEEKLY = "frequency_weekly"
    FREQUENCY_MONTHLY = "frequency_monthly"
    FREQUENCY_RARE = "frequency_rare"
    RECENT = "recent"
    DWELL_LONG = "dwell_long"
    DWELL_SHORT = "dwell_short"
    WEEKDAY_HABIT = "weekday_habit"
    ARRIVAL_HABIT = "arrival_habit"
    LEVEL_HABIT = "level_habit"
    CATEGORY_PREFERENCE = "category_preference"
    BRAND_PREFERENCE = "brand_preference"
    STAGE = "stage"


class HourBand(StrEnum):
    """Local hours at which a visit to the venue began."""

    MORNING = "morning"
    MIDDAY = "midday"
    AFTERNOON = "afternoon"
    EVENING = "evening"
    NIGHT = "night"


class Stage(StrEnum):
    """How near a person is to buying something of a category; ``NONE`` is no tag."""

    NONE = "none"
    CONTEMPLATING = "contemplating"
    PREPARING = "preparing"
    BUYING = "buying"
    AFTER = "after"


NAMES: tuple[TagName, ...] = tuple(TagName)
BANDS: tuple[HourBand, ...] = tuple(HourBand)
STAGES: tuple[Stage, ...] = tuple(Stage)
WEEKDAYS: tuple[str, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
