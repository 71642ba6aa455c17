"""How often a person comes to one category, brand or venue, and whether the next visit is late.

``cadence.py`` keeps 36 bytes a person; ``nightly.py`` is the flow: states to models, models to bands. ``bgnbd.py``
tells who is still active, ``regularity.py`` whether there is a rhythm at all, ``bands.py`` what being late means.
Rows stand for people by position: who they are is not known here.
"""
