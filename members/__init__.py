"""Who: devices, the people behind them, what each has allowed, and what they paid.

``device.py`` holds a phone's record and the one place where consents and age are turned into what may be done.
``payment.py`` holds what tills tell. Nothing here sees radio or coordinates.
"""
