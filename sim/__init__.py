"""A mall with known truth: plan, radio, survey, shoppers and their phones, as one seed makes them.

``world.py`` puts the parts together; ``demo_day.py`` plays days against the live HTTP API through the client.
Simulated figures rank methods; they promise nothing for a mall (docs/simulation.md).
"""
