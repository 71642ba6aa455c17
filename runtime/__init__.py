"""Where Atrium meets the machine: settings, storage, background work, the command line.

``wiring.py`` puts the parts together; ``engine.py`` drives the flow for live phones; ``records/`` are the
database's tables, one file a noun; ``commands/`` the command line.
"""
