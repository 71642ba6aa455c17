"""Who: devices, the people behind them, and what each has allowed.

``device.py`` holds a phone's record and the one place where consents and age are turned into what may be done;
``points/`` the ledger of points.
Nothing here sees radio or coordinates.
"""
