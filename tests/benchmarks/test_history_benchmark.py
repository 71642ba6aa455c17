"""The benchmark of months of history counts what the days hold."""

from benchmarks import history as benchmark
from sim.layout import MallSpec


def test_the_figures_are_those_of_the_days_with_any_number_of_workers() -> None:
    spec = MallSpec(n_levels=2, width_m=78, depth_m=52)
    figures = benchmark.run(visits_a_day=300.0, n_days=4, workers=(1, 2), mall_spec=spec)
    one, two = figures["runs"]
    for name in ("visits", "store_visits", "payments", "exposures"):
        assert one[name] == two[name] > 300
    assert (one["workers"], two["workers"]) == (1, 2)
    assert 4 * 200 < one["visits"] < 4 * 500  # from Saturday to Tuesday
    assert one["store_visits"] > 2 * one["visits"]
    assert figures["people"] > figures["households"] > 1_000
    assert one["cpu_s"] > 0
