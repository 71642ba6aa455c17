"""A mall with known truth: plan, radio, survey, people, phones and tills, as one seed makes them.

``world.py`` puts the parts together; ``day.py`` plays a day against the flow or a live server; ``run.py`` plays
scenarios and ``report.py`` shows what came of them; ``demo_day.py`` plays day after day at the pace of a clock.
Simulated figures rank methods; they promise nothing for a mall (docs/simulation.md).
"""
