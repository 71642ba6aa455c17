"""The map: what stands where. IMDF in and out, levels, units, stores, adjacency, the local metre frame.

``archive.py`` holds an IMDF archive as it came (every feature kept), ``model.py`` what the rest of Atrium
asks of it, ``index.py`` answers questions of place.
"""
