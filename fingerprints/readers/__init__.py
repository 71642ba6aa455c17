"""Survey files of every known kind, read into labelled scans.

Readers take bytes, never paths: the command line opens (and unzips) files. All give a ``SurveyRead``: a bad line
is reported with its number and the reading goes on; only a source without one good scan is refused.
"""

from fingerprints.readers.ndjson import read_ndjson
from fingerprints.readers.survey_read import BadLine, LeftOut, SurveyRead
from fingerprints.readers.ujib1 import read_ujib1
from fingerprints.readers.ujiindoorloc import read_ujiindoorloc
from fingerprints.readers.xyz10 import read_xyz10_survey

__all__ = [
    "BadLine",
    "LeftOut",
    "SurveyRead",
    "read_ndjson",
    "read_ujib1",
    "read_ujiindoorloc",
    "read_xyz10_survey",
]
