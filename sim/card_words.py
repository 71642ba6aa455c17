"""What every data card says of simulated scans: fields, what is simulated and what is not, uses and limits."""

LICENCE = "Apache-2.0"
"""As the program's. Nobody's data is in a simulated set."""

FIELDS: tuple[tuple[str, str, str], ...] = (
    ("scan_id", "", "unique in the file"),
    ("device_id", "", "the phone"),
    ("at", "RFC 3339, UTC", "when the scan was taken"),
    ("venue_id", "", "null: the server may find it"),
    ("wifi[].bssid", "", "address of a Wi-Fi transmitter; passing hotspots have random local ones"),
    ("wifi[].rssi_dbm", "dBm", "power as the phone reads it, whole numbers; what is not heard is not listed"),
    ("wifi[].frequency_mhz", "MHz", "carrier"),
    ("wifi[].age_ms", "ms", "how long before the scan it was heard; a phone's list keeps what is up to 30 s old"),
    ("beacons[].uuid, .major, .minor", "", "an iBeacon's identity"),
    ("beacons[].rssi_dbm, .age_ms", "dBm, ms", "as for Wi-Fi"),
    ("truth.lat, truth.lng", "degrees, WGS 84", "where the phone was"),
    ("truth.level", "", "the level's IMDF short name"),
    ("truth.store_id", "", "the store the phone was inside; null in a corridor"),
    ("truth.walk", "", "what must stay on one side of a split: a survey walk, or one shopper's day"),
    ("truth.building", "", "null: there is one"),
)
"""Field, unit, meaning; the format is that of ``POST /v1/scans`` with ``truth`` (docs/sdk.md)."""

SIMULATED: tuple[str, ...] = (
    "path loss in three dimensions, walls counted on the polygons, floors, the atrium's opening",
    "shadowing correlated in space, one field for all radios that hang together",
    "fading, the hand, the body between phone and radio, radios missed at random and whole radios missed",
    "each phone's offset, gain and sensitivity",
    "readings kept from earlier scans, with their age; hotspots that pass",
    "access points with several ids over 2.4, 5 and 6 GHz; beacons",
    "ageing: radios removed, renamed, moved, set to another power, new; shadowing that drifts",
    "walks along corridors and within stores, through doors, by stairs, lifts and escalators",
)
FITTED_EFFECTS: tuple[tuple[str, str], ...] = (
    ("slow_sd_db", "slow fading of each radio, which a phone keeps for a while"),
    ("carry_sd_db", "how a phone is carried: all radios louder or weaker together for a while"),
    ("walk_miss_ratio", "radios that a whole walk does not hear"),
    ("shadowing_shared_sd_db", "shadowing that all radios share at a place"),
    ("frame_sd_db", "noise of each reading beside its radio's fading"),
    ("edge_miss_ratio", "a soft edge of what a phone hears"),
    ("attenuation_db_per_m", "loss with each metre beyond the exponent's"),
)
"""Effects that are simulated where the radio model has more than none of them, by parameter."""
DRAWN_LIMIT = "stores are rectangles with walls to all sides but the door; real fronts are open"
IMPORTED_LIMIT = (
    "the map is a real one, but the radio is not; doors, stairs and entrances it lacked were added where they would "
    "do, so ways are plausible and not true"
)
NOT_SIMULATED: tuple[str, ...] = (
    "people and goods that change the field within a day",
    "errors of the surveyor: the truth is exact",
    "phones that differ by band or chip, or whose system holds scans back",
    "pressure, steps, satellite fixes, Wi-Fi round-trip times",
    "radios that follow the load: changing power or channel within a day",
)
USES: tuple[str, ...] = (
    "comparing locators with the truth known, on other phones and at a later date than the survey's",
    "testing readers, servers and clients of the format",
    "studies of survey design, phone offsets and ageing",
)
LIMITS: tuple[str, ...] = (
    "it ranks methods; a figure measured on it promises nothing for a real mall",
    "a survey covers every store evenly, which a real one seldom does",
    "scans of one walk are near copies: split by truth.walk, never by scan, and give intervals by walk",
    "split a survey by its own walks for the same phones on the same date; take shoppers' scans for new phones, and a "
    "later date for radios that have aged",
    "a radio model fitted to one real mall (preset xixi) is fitted to that mall's plan, not to this one's",
)
