"""What a stream of positions means: visits, phases, events. Sees places and a phone's name, never a person.

``advance.py`` is the flow: one fix into one phone's scene, events out. ``rules.py`` holds every threshold,
``state.py`` the plain object that is a phone's scene, with snapshot and restore.
"""
