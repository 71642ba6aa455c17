"""The records: tables and the statements on them, one file a noun. Every row carries its tenant.

``schema.py`` is what the newest migration leaves behind (a test compares them); instants are integer
microseconds since 1970-01-01 UTC.
"""
