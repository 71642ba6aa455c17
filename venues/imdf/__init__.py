"""IMDF 1.0.0 archives (OGC 20-094): a zip of ``manifest.json`` and one GeoJSON file a feature type.

``container`` opens the zip without trusting it, ``schema`` says what each feature type holds, ``checks`` and
``references`` find the faults, ``removal`` takes faulty features out for a lenient reading.
"""

from venues.imdf.reader import ReadResult, read_archive
from venues.imdf.writer import write_archive

__all__ = ["ReadResult", "read_archive", "write_archive"]
