"""How a person's tags lie in memory: 360 words of 32 bits, 1,440 bytes, however long the person comes.

The same bytes are read as whole numbers and as floats. Sums of decayed weights are kept as of the *landmark*, a whole
number of half-lives since 1970: a visit on day d adds 2 ** (d / half_life - landmark), whenever it is told, and raising
the landmark multiplies by a power of two, which rounds nothing. A record of zeros is a person who is not to be known.

Source: Cormode, Shkapenyuk, Srivastava, Xu, "Forward decay: a practical time decay model for streaming systems", 2009.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]
Rows: TypeAlias = NDArray[Any]
"""Of a structured type, whose fields a kernel reads by name."""

VERSION = 1
N_WORDS = 360
HEAD = 0
"""1 for a person who may be known."""
HELD = 1
"""Tags held: weekdays (7 bits), hour bands (5), levels (6), life cycle (2 + 1), frequency (2), recent, dwell (2)."""
HELD_SLOTS = 2
"""Preferences held: categories (16 bits), brands (16)."""
LANDMARK = 3
N_VISITS = 4
"""Counted store visits, ever."""
TOTAL = 5
"""Their weights, a float as all weights here."""
DWELL_SUM = 6
"""Decayed logarithms of stay over base."""
DWELL_WEIGHT = 7
N_DAYS = 8
"""Distinct days with a counted venue visit, ever."""
DAYS = 9
MOST_DAYS = 16
"""The newest days with a venue visit, in no order: day (16 bits), visits (8)."""
WEEKDAY = DAYS + MOST_DAYS
BAND = WEEKDAY + 7
WEEKDAY_N = BAND + 5
BAND_N = WEEKDAY_N + 7
LEVELS = BAND_N + 5
MOST_LEVELS = 6
N_LEVEL = 2
BRANDS = LEVELS + MOST_LEVELS * N_LEVEL
MOST_BRANDS = 16
BRAND_DAYS = 3
N_BRAND = 2 + BRAND_DAYS
CATEGORIES = BRANDS + MOST_BRANDS * N_BRAND
MOST_CATEGORIES = 16
MOST_ENTRIES = 10
N_CATEGORY = 3 + MOST_ENTRIES
"""Slots begin with their number + 1 (16 bits) and counted visits (15), then the weight. Levels have no more; brands the
newest days, as above; categories the stage held, then the entries: the newest days with evidence of the category."""
SLOT_WEIGHT = 1
SLOT_STAGE = 2
SLOT_ENTRIES = 3

STORE_VISIT, LEVEL_VISIT, VENUE_VISIT, PASS, PURCHASE = range(5)
"""Kinds of rows to learn."""
E_PASS, E_SHORT, E_LONG, E_BUY = range(4)
"""What an entry counts: its day (16 bits), then purchases, long visits, short visits and passes (4 bits each)."""
MOST_COUNT = 15

HELD_WEEKDAY, HELD_BAND, HELD_LEVEL, HELD_CYCLE, HELD_FREQUENCY, HELD_RECENT, HELD_DWELL = 0, 7, 12, 18, 21, 23, 24
MOST_DAY = 65_535
"""In the year 2149."""
MOST_SLOT_ID = 65_534
MOST_SLOT_COUNT = 32_767
RAISE_AFTER = 16
"""Half-lives by which a day may be past the landmark before it is raised; floats reach 127."""
