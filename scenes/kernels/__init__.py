"""Compiled loops over packed records: what a stream of fixes does to the scenes of many phones.

Arrays in, arrays out; the packages' values are made and read by ``scenes/record.py`` and ``scenes/advance.py``.
"""
