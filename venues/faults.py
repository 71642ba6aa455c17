"""What can be wrong with a map, one stable code each; docs/venues.md explains every code to the map's owner."""

from dataclasses import dataclass
from enum import StrEnum


class FaultCode(StrEnum):
    """The kinds of fault. ``STRUCTURAL_CODES`` refuse a map outright; the rest refuse it unless read leniently."""

    NOT_A_ZIP = "not_a_zip"
    ZIP_BOMB = "zip_bomb"
    UNSAFE_PATH = "unsafe_path"
    UNREADABLE_MEMBER = "unreadable_member"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_A_FEATURE_COLLECTION = "not_a_feature_collection"
    NO_MANIFEST = "no_manifest"
    NO_VENUE = "no_venue"
    NO_LEVEL = "no_level"
    SEVERAL_VENUES = "several_venues"
    DUPLICATE_FILE = "duplicate_file"
    DUPLICATE_ID = "duplicate_id"
    WRONG_GEOMETRY_TYPE = "wrong_geometry_type"

    UNSUPPORTED_VERSION = "unsupported_version"
    FILE_NAME = "file_name"
    EMPTY_FILE = "empty_file"
    UNKNOWN_FILE = "unknown_file"
    UNKNOWN_FEATURE_TYPE = "unknown_feature_type"
    MISPLACED_FEATURE = "misplaced_feature"
    INVALID_FEATURE = "invalid_feature"
    INVALID_ID = "invalid_id"
    MISSING_PROPERTY = "missing_property"
    INVALID_PROPERTY = "invalid_property"
    INVALID_GEOMETRY = "invalid_geometry"
    OUT_OF_RANGE = "out_of_range"
    DANGLING_REFERENCE = "dangling_reference"


STRUCTURAL_CODES = frozenset(
    {
        FaultCode.NOT_A_ZIP,
        FaultCode.ZIP_BOMB,
        FaultCode.UNSAFE_PATH,
        FaultCode.UNREADABLE_MEMBER,
        FaultCode.NOT_UTF8,
        FaultCode.NOT_JSON,
        FaultCode.NOT_A_FEATURE_COLLECTION,
        FaultCode.NO_MANIFEST,
        FaultCode.NO_VENUE,
        FaultCode.NO_LEVEL,
        FaultCode.SEVERAL_VENUES,
        FaultCode.DUPLICATE_FILE,
        FaultCode.DUPLICATE_ID,
        FaultCode.WRONG_GEOMETRY_TYPE,
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong: the file inside the map, the feature in it where there is one, and what was found."""

    file: str | None
    feature_id: str | None
    code: FaultCode
    message: str

    @property
    def is_structural(self) -> bool:
        """Whether no lenient reading can pass over it."""
        return self.code in STRUCTURAL_CODES

    def __str__(self) -> str:
        where = " ".join(part for part in (self.file, self.feature_id) if part)
        return f"{where}: {self.code}: {self.message}" if where else f"{self.code}: {self.message}"
