"""Learns tags and rhythm from what the engine has recorded, behind it: no scan waits for more than one short step.

Reads ``events`` from a stored cursor on. Delivery: each event is learnt exactly once, since what it taught and the
cursor are one transaction; what was recorded while the worker was away is learnt when it is back. One worker a
database, as there is one engine.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from api.ports import Venues
from kernel.clock import Clock
from kernel.ids import StoreId, TenantId
from runtime.database import Database
from runtime.errors import VenueFileError
from runtime.records.staff import load_people_of_staff
from runtime.records.tags import has_news, read_night
from runtime.records.tenants import list_tenants
from runtime.tag_changes import TagModel
from runtime.tag_forgetting import Forgetting, forget_step
from runtime.tag_learning import EVENTS_AT_ONCE, LeftOut, learn_step, next_day
from runtime.tag_night import begin_day, fit_if_due, night_step, prepare_day
from runtime.tag_places import TagBook, Unnamed, day_of, zone_of
from scenes.tags.rules import TagRules
from scenes.tags.stage import StageModel
from venues.model import Venue
from venues.sensitive import sensitive_stores

_log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 2.0
"""How old a visit's end may be before its tags change."""
BREATH_S: Final = 0.1
"""A breath between steps, in which the engine's commits come through."""


SensitiveStores: TypeAlias = Callable[[TenantId, Venue], frozenset[StoreId]]


def by_category(tenant: TenantId, venue: Venue) -> frozenset[StoreId]:
    """The sensitive stores of a map, without a list of the venue's own."""
    return sensitive_stores(venue)


class TagWorker:
    """``step`` does a transaction's worth, and ``start`` and ``stop`` run steps in a thread of their own.

    Steps of two workers take turns and learn nothing twice, for each reads the cursor in its transaction.
    """

    def __init__(
        self,
        database: Database,
        venues: Venues,
        clock: Clock,
        *,
        sensitive: SensitiveStores = by_category,
        staff: LeftOut = load_people_of_staff,
        rules: TagRules | None = None,
        look_every_s: float = LOOK_EVERY_S,
        events_at_once: int = EVENTS_AT_ONCE,
    ) -> None:
        """Args:
        clock: the server's; a service day begins by it where no event has begun it before.
        sensitive: the sensitive stores of a venue, asked anew in each step; by the map alone where nothing is given.
        staff: who is left out, asked anew in each step.
        """
        self._database, self._venues, self._clock = database, venues, clock
        self._sensitive, self._staff, self._rules = sensitive, staff, rules or TagRules()
        self._forgetting: dict[TenantId, Forgetting] = {}
        self._model: TagModel | None = None
        self._look_every_s, self._events_at_once = look_every_s, events_at_once
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="atrium-tags", daemon=True)

    def start(self) -> None:
        """Begin to look for news."""
        self._thread.start()

    def stop(self) -> None:
        """End behind the step under way; what is not learnt yet is learnt after the next start."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def step(self) -> bool:
        """One transaction for each tenant that has news; whether any had."""
        with self._database.read() as connection:
            tenants = [TenantId(tenant) for tenant, _ in list_tenants(connection)]
        had_news = [self._step_of(tenant) for tenant in tenants]  # each has its turn, whatever those before had
        return any(had_news)

    def run_to_end(self) -> int:
        """Learn all that is recorded; how many steps it took."""
        n = 0
        while self.step():
            n += 1
        return n

    def _step_of(self, tenant: TenantId) -> bool:
        try:
            maps = self._maps(tenant)  # before the transaction: a map that is new takes its time
            sensitive = {venue.id: self._sensitive(tenant, venue) for venue in maps}
        except VenueFileError as error:
            _log.error("nothing is learnt of tenant %s: %s", tenant, error)
            return False
        today, now = self._today(maps), self._clock.now()
        dawn, fitted = None, None
        with self._database.read() as connection:
            book, night = TagBook(connection, tenant, maps, sensitive), read_night(connection, tenant)
            is_forgetting = self._has_to_forget(tenant, book.known_unnamed())
            is_night = night is not None and not night.is_over
            begins = None if is_night else next_day(connection, tenant, book, night, today)
            if not is_forgetting and not is_night and begins is None and not has_news(connection, tenant):
                return False
            model = self._ready()
            if is_forgetting:
                pass  # before anything else, so that no event tells of it once more
            elif begins is not None:
                dawn = prepare_day(connection, tenant, book, model, begins)
            elif night is not None and is_night:
                fitted = fit_if_due(connection, tenant, book, night)
        with self._database.write() as connection:
            book, staff = TagBook(connection, tenant, maps, sensitive), self._staff(connection, tenant)
            if is_forgetting:
                done = forget_step(connection, tenant, book, model, self._forgetting[tenant])
            elif dawn is not None:
                begin_day(connection, tenant, book, dawn)
            elif is_night:
                night_step(connection, tenant, book, model, staff, fitted, now)
            else:
                learn_step(connection, tenant, book, model, staff, now, self._events_at_once)
        if is_forgetting:
            self._forgetting[tenant] = done
        return True

    def _has_to_forget(self, tenant: TenantId, names: Unnamed) -> bool:
        """Whether something learnt has become sensitive since it was last forgotten, or since the start."""
        done = self._forgetting.get(tenant)
        if done is None or done.names != names:
            was = Unnamed() if done is None else done.names
            is_less = names.categories <= was.categories and names.brands <= was.brands
            is_over = done is not None and done.is_over and is_less
            done = self._forgetting[tenant] = Forgetting(names, is_over=is_over)
        return not done.is_over and bool(names.categories or names.brands)

    def _today(self, maps: Sequence[Venue]) -> int:
        """The service day of the first venue that tells its time zone."""
        zones = [venue.time_zone for venue in maps if venue.time_zone is not None]
        return day_of(self._clock.now(), zone_of(zones[0] if zones else None))

    def _maps(self, tenant: TenantId) -> list[Venue]:
        found = [self._venues.get(tenant, venue_id) for venue_id in self._venues.list(tenant)]
        return [venue for venue in found if venue is not None]

    def _ready(self) -> TagModel:
        if self._model is None:
            self._model = TagModel(self._rules, StageModel().tables())
        return self._model

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                had_news = self.step()
            except Exception:  # noqa: BLE001  # an outermost loop logs and goes on
                _log.exception("tags could not be learnt; it is tried again")
                had_news = False
            self._stopping.wait(BREATH_S if had_news else self._look_every_s)
