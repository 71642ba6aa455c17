"""The command line. Exit 0 done, 1 refused input, 2 usage, 3 a part failed.

One file a noun; ``terminal.py`` says how things are printed. Commands import heavy libraries inside themselves, so
that ``--help`` answers at once.
"""

from runtime.cli.app import main

__all__ = ["main"]
