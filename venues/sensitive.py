"""Sensitive places: who is there is told of by it, in health, faith, childhood or need. No record holds a visit there.

They are told by the occupant's IMDF category, and by a list of the venue's own for what its map does not say. Closed: a
category that is not here is not sensitive, whatever it sounds like.

Source: the classes of sensitive locations in the orders of the United States' Federal Trade Commission (X-Mode/Outlogic
and InMarket, January 2024; Kochava, May 2026): medical facilities, religious organisations, correctional facilities,
labour union offices, education or childcare, associations serving people of one origin, shelters and social services;
so, by what they let infer, GDPR art. 9 and PIPL art. 28. IMDF (OGC 20-094) spells categories in lower case without
spaces, some maps in the plural or under a heading (``health.dentist``); both are read. Left out: pharmacies, which in a
mall are mostly drugstores and are in none of those classes; a venue that sees it otherwise lists them.
"""

import re
from collections.abc import Collection
from typing import Final

from kernel.ids import StoreId
from venues.model import Venue

_HEALTH = (
    "abortionclinic acupuncture addictionmedicine clinic counseling dentalclinic dentist dialysisclinic doctor "
    "familyplanning fertility gynecologist health healthcare healthservice hospice hospital maternityclinic "
    "medicalcenter medicalclinic medicalfacility medicalservice mentalhealth midwife obstetrician oncologist "
    "orthodontist pediatrician physician physicaltherapy plasticsurgeon psychiatrist psychologist rehabilitationcenter "
    "reproductivehealth surgeon therapist urgentcare urologist"
)
_FAITH = (
    "buddhisttemple chapel church hindutemple mosque placeofworship prayerroom religion religiousorganization "
    "religiousorg shrine sikhtemple synagogue temple worship"
)
_LEARNING = (
    "childcare childcareservice daycare education elementaryschool highschool kindergarten middleschool "
    "nursery nurseryschool playschool preschool privateschool school specialeducation tutoringcenter"
)
_NEED = (
    "communitycenter domesticviolenceshelter employmentoffice homelessshelter immigrationservice "
    "refugeeservice shelter socialservice socialserviceorganization welfareoffice"
)
_OTHER = (
    "correctionalfacility ethnicassociation jail laborunion parole policestation politicalorganization prison probation"
)

SENSITIVE_CATEGORIES: Final = frozenset(" ".join((_HEALTH, _FAITH, _LEARNING, _NEED, _OTHER)).split())

_SEPARATOR = re.compile(r"[.:/>]")
_NO_LETTER = re.compile(r"[^a-z0-9]")


def is_sensitive(category: str, also: Collection[str] = ()) -> bool:
    """Whether an occupant category is a sensitive one, or stands below one.

    Args:
        also: categories that are sensitive at this venue, in any spelling.

    >>> is_sensitive("clinic"), is_sensitive("health.dentists"), is_sensitive("Place of Worship"), is_sensitive("shoes")
    (True, True, True, False)
    >>> is_sensitive("pharmacy", also=["Pharmacies"])
    True
    """
    known = SENSITIVE_CATEGORIES.union(*(_singulars(_NO_LETTER.sub("", one.lower())) for one in also))
    words = (_NO_LETTER.sub("", word) for word in _SEPARATOR.split(category.lower()))
    return any(one in known for word in words for one in _singulars(word))


def _singulars(word: str) -> tuple[str, ...]:
    """The word, and what it may be the plural of."""
    stems = (word, word.removesuffix("s"), word.removesuffix("es"))
    return (*stems, word.removesuffix("ies") + "y") if word.endswith("ies") else stems


def sensitive_stores(venue: Venue | None, listed: Collection[str] = ()) -> frozenset[StoreId]:
    """The sensitive stores of a venue: by category, and as listed; without polygons as listed alone.

    Args:
        listed: the venue's own list: ids of stores, which begin with ``st_``, and categories.
    """
    named = frozenset(StoreId(one) for one in listed if one.startswith("st_"))
    also = [one for one in listed if one and not one.startswith("st_")]
    stores = () if venue is None else venue.stores
    return named | {store.id for store in stores if is_sensitive(store.category, also)}
