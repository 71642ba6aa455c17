"""From one scan to a place that is right or says that it does not know.

``locate.py`` is the flow; ``radio_map.py`` a venue's survey compiled; ``train.py`` makes a model of both;
``evaluate.py`` measures it. Nothing here knows a person.
"""
