"""Who: devices, the people behind them, what each has allowed, and what they paid.

``device.py`` holds a phone's record and the one place where consents and age are turned into what may be done.
``identity.py`` and ``join.py`` say who is one person, ``payment.py`` holds what tills tell, ``points/`` the ledger of
points. Nothing here sees radio or coordinates.
"""
