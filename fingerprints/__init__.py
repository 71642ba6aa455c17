"""What phones hear: scans and readings, transmitter ids, survey files and what a survey covers.

``scan.py`` holds the types that all other packages use; ``transmitters.py`` the one canonical form of an
id; ``wire.py`` decodes the scan JSON of the API; ``readers/`` read survey files.
"""
