"""``atrium evaluate`` prints a line for each level of sureness."""

from runtime.cli.models import _pairs


def test_each_level_of_sureness_is_a_line_with_the_baseline_beside_it() -> None:
    mine: dict[str, object] = {
        "risk_coverage": [{"at_least": 0.5, "answered_percent": 80.0, "right_percent": 66.66666}]
    }
    theirs: dict[str, object] = {"risk_coverage": [{"at_least": 0.5, "answered_percent": 0.0, "right_percent": None}]}
    assert _pairs(mine, theirs) == [("sure of 0.5: %, right %", "80, 66.67", "0, None")]
    assert _pairs(mine, None) == [("sure of 0.5: %, right %", "80, 66.67", None)]
