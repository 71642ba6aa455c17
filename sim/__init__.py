"""A mall with known truth: plan, radio, survey, people, phones and tills, as one seed makes them.

``world.py`` puts the parts together; ``run.py`` plays scenarios through the flow and ``report.py`` shows what came of
it; ``demo_day.py`` plays days against the live HTTP API through the client.
Simulated figures rank methods; they promise nothing for a mall (docs/simulation.md).
"""
