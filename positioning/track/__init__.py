"""Time: what a phone's earlier scans say of where it is now.

``tracker.py`` is the live path (causal), ``smooth.py`` the replay that also sees what came after, ``record.py`` what is
kept of a phone between scans. The method and its figures: docs/algorithms/positioning.md, "Time".
"""
