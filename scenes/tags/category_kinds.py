"""What a category is: one that nothing is learnt of, or one that people decide on for long.

Categories are IMDF's (``clothing.childrens``) or whatever a map says.
"""

from typing import Final

from venues.sensitive import is_sensitive

NOT_LEARNT: Final = ("pharmacy", "drugstore", "optometrist", "adult", "legalservice", "funeralservice")
"""Not sensitive as a place where somebody is, yet as a person's habit (project's research on scenes, section 12; GDPR
article 9 by inference)."""
CONSIDERED_WORDS: Final = (
    "furniture", "appliance", "electronic", "computer", "jewel", "watch", "mattress", "kitchen", "bridal", "auto",
    "vehicle", "travel", "homedecor", "homeimprovement",
)  # fmt: skip
"""Bought after days or weeks of looking (the survey named in docs/algorithms/tags.md): what has decision stages."""


def is_learnt(category: str) -> bool:
    """Whether visits to such a store may be learnt: to sensitive ones they may not.

    >>> is_learnt("pharmacy"), is_learnt("health.dentist"), is_learnt("coffee")
    (False, False, True)
    """
    return not is_sensitive(category, NOT_LEARNT)


def is_considered(category: str) -> bool:
    """Whether people decide over days what they buy of it.

    >>> is_considered("electronicappliances"), is_considered("coffee")
    (True, False)
    """
    name = category.lower()
    return any(word in name for word in CONSIDERED_WORDS)
