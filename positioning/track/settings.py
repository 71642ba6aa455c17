"""The constants of the filter, each with its unit and where it was chosen.

None was chosen on a test: walking on the survey walks of Xixi Intime, each located without itself, by cross-validation
over whole walks; dwelling on two simulated malls (seeds 101 and 102). docs/algorithms/positioning.md has the commands.
"""

from typing import Final, NamedTuple


class Motion(NamedTuple):
    """How a phone moves and how its answers err, for phones with steps or for phones without.

    Args:
        error_s: time constant of the part of an answer's error that the next answer shares.
        shared_ratio: share of the error's variance in that part.
        sd_ratio: an answer's standard deviation a axis, times its ``accuracy_m`` (0.66 were a normal error's).
        heavy_tail: degrees of freedom of the error, as of Student's t; the fewer, the less an outlier moves.
        outlier_ratio: variance that an outlier adds, times the answer's own.
        wander_m2ps: variance a second of a place, a axis, beside the modelled motion.
        speed_mps: standard deviation of the speed, a axis; only without steps.
        speed_s: time constant of the speed; only without steps.
        along_m2: variance of one step's length; across_m2: of its way aside. Only with steps.
        length_m: the middle length of a step, and length_sd_m its deviation between phones' holders.
        aside_sd_m: deviation of a step's way aside by a wrong heading: 0.12 m of 0.66 m are 10 degrees.
    """

    error_s: float
    shared_ratio: float
    sd_ratio: float
    heavy_tail: float
    outlier_ratio: float
    wander_m2ps: float
    speed_mps: float
    speed_s: float
    along_m2: float
    across_m2: float
    length_m: float
    length_sd_m: float
    aside_sd_m: float


WITH_STEPS: Final = Motion(
    error_s=6.0,
    shared_ratio=0.75,
    sd_ratio=0.8,
    heavy_tail=5.0,
    outlier_ratio=1.0,
    wander_m2ps=0.4,
    speed_mps=0.0,
    speed_s=1.0,
    along_m2=0.15,
    across_m2=0.25,
    length_m=0.66,
    length_sd_m=0.02,
    aside_sd_m=0.12,
)
WITHOUT_STEPS: Final = Motion(
    error_s=3.0,
    shared_ratio=0.65,
    sd_ratio=0.8,
    heavy_tail=10.0,
    outlier_ratio=2.0,
    wander_m2ps=0.8,
    speed_mps=1.6,
    speed_s=8.0,
    along_m2=0.0,
    across_m2=0.0,
    length_m=0.0,
    length_sd_m=0.0,
    aside_sd_m=0.0,
)
LEAST_ACCURACY_M: Final = 1.0
"""No answer is taken for better than this; 0.5 to 4 m were tried."""
RADIUS_RATIO: Final = 1.48
"""Radius that holds 68 % of places, times the filter's standard deviation a axis: 1.51 for a normal error, 0.98 of that
measured (0.987 with steps, 0.955 without)."""
GAP_S: Final = 300.0
"""After this long without a scan nothing is known of the way in between; a visit ends then too (``leave_gap``)."""

DWELL_S: Final = 60.0
"""Time constant of staying before or in one store (30 to 1,000 s tried); a move goes as exp(-distance / 20 m)."""
MOVE_M: Final = 20.0
ANYWHERE_RATIO: Final = 0.05
"""Share of the moves that may lead to any store of the venue, other levels too."""
STORE_TEMPER: Final = 0.5
"""Exponent of a scan's store probabilities: scans of a standing phone are not independent. 0.3 to 1 tried: 0.5 is right
most often and has the least calibration error."""
LEAST_PROBABILITY: Final = 1e-4
"""Given to stores that a scan does not name. With 1e-2 the filter loses half of its gain (research: positioning)."""

INSIDE_S: Final = 120.0
OUTSIDE_S: Final = 30.0
"""Time constants of being inside stores and between them, and the exponent of a scan's odds of being inside."""
INSIDE_TEMPER: Final = 0.5
LEAST_ODDS: Final = 5e-3
"""A scan's ``in_store`` is taken for no surer than this."""

FRONT_WITH_STEPS: Final = (0.19, -1.3, 0.15, 0.41)
FRONT_WITHOUT_STEPS: Final = (0.18, -1.3, 0.56, 0.63)
"""Conditional logit of the stores round a filtered place, s its accuracy: nearest; (d - d0) / s; its square root;
ln(the scan's own probability + 0.01). Cross-validated top-1 changes by less than 0.1 point with other features."""
FRONT_FLOOR: Final = 0.01
