"""The doors: location, campaigns, members, venues over HTTP, and the pages in ``console/``.

``app.py`` builds the application from what ``ports.py`` names; ``problems.py`` alone knows HTTP statuses.
"""
