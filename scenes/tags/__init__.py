"""What is known of a person by their visits: preferences, habits, life cycle and decision stages, with an end to each.

``learn.py`` takes closed visits into packed records, ``tags.py`` reads which tags hold at a day and what changed,
``stage.py`` reads how near a person is to buying. ``rules.py`` holds every threshold, ``record.py`` says how a record
lies in memory. Definitions and figures: docs/algorithms/tags.md. Children, people of unknown age and sensitive places
never get here: a record learns nothing until ``record.admit`` was called for it, which is the caller's to decide.
"""
