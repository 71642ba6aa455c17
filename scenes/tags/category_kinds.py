"""What a category is, by the words in its name: one that nothing is learnt of, or one that people decide on for long.

Categories are IMDF's (``clothing.childrens``) or whatever a map says; a word anywhere in the name is enough, so that
what is doubtful is rather not learnt.
"""

from typing import Final

SENSITIVE_WORDS: Final = (
    "clinic", "doctor", "dentist", "hospital", "medic", "health", "pharmac", "drugstore", "optometr", "therap",
    "counsel", "relig", "worship", "church", "mosque", "temple", "synagogue", "school", "kindergarten", "childcare",
    "education", "political", "union", "adult", "funeral", "shelter", "legal",
)  # fmt: skip
"""Health, belief, schooling, politics, sex: what a visit there says is nobody's business (project's research on scenes,
section 12, and GDPR article 9 by inference)."""
CONSIDERED_WORDS: Final = (
    "furniture", "appliance", "electronic", "computer", "jewel", "watch", "mattress", "kitchen", "bridal", "auto",
    "vehicle", "travel", "homedecor", "homeimprovement",
)  # fmt: skip
"""Bought after days or weeks of looking (the survey named in docs/algorithms/tags.md): what has decision stages."""


def is_sensitive(category: str) -> bool:
    """Whether no visit to such a store may be learnt.

    >>> is_sensitive("pharmacy"), is_sensitive("coffee")
    (True, False)
    """
    return _has(category, SENSITIVE_WORDS)


def is_considered(category: str) -> bool:
    """Whether people decide over days what they buy of it.

    >>> is_considered("electronicappliances"), is_considered("coffee")
    (True, False)
    """
    return _has(category, CONSIDERED_WORDS)


def _has(category: str, words: tuple[str, ...]) -> bool:
    name = category.lower()
    return any(word in name for word in words)
