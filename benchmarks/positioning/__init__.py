"""The research bench: locators side by side on one labelled file, split by whole walks, with paired intervals.

``run.py`` is the flow; ``method.py`` is what a method implements; ``docs/research-bench.md`` shows how to add one.
"""
