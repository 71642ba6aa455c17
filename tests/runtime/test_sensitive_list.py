"""A list of sensitive stores that cannot be read is an error of its venue, said until it is mended."""

import logging
from pathlib import Path

import pytest

from runtime.demo import VENUE_ID
from runtime.errors import VenueFileError
from runtime.home import open_home
from runtime.locators import Locators
from runtime.records.tenants import DEFAULT_TENANT
from runtime.venue_store import VenueStore
from tests.living_server import copy_home

BROKEN = "st_a\nst_caf\xe9\n".encode("latin-1")


@pytest.fixture
def store(prepared_home: Path, tmp_path: Path) -> VenueStore:
    home = open_home(copy_home(prepared_home, tmp_path / "home"))
    home.database.close()
    return home.venues


def test_a_list_that_is_no_text_keeps_the_last_good_one_and_is_told_each_time(
    store: VenueStore, caplog: pytest.LogCaptureFixture
) -> None:
    path, held = store.sensitive_path(DEFAULT_TENANT, VENUE_ID), Locators(store, look_every_s=0.0)
    path.write_text("st_a\n")
    held.of(DEFAULT_TENANT)
    path.write_bytes(BROKEN)
    with caplog.at_level(logging.ERROR):
        for n_looks in (1, 2):
            assert held.of(DEFAULT_TENANT).venue_ids == (VENUE_ID,)
            assert held.sensitive(DEFAULT_TENANT) == {VENUE_ID: {"st_a"}}
            assert len(caplog.records) == n_looks
    path.write_text("st_a\nst_b\n")
    held.of(DEFAULT_TENANT)
    assert held.sensitive(DEFAULT_TENANT) == {VENUE_ID: {"st_a", "st_b"}}


def test_without_a_good_list_a_venue_is_not_answered_for_until_there_is_one(
    store: VenueStore, caplog: pytest.LogCaptureFixture
) -> None:
    path, held = store.sensitive_path(DEFAULT_TENANT, VENUE_ID), Locators(store, look_every_s=0.0)
    path.write_bytes(BROKEN)
    with caplog.at_level(logging.ERROR):
        assert held.of(DEFAULT_TENANT).venue_ids == held.of(DEFAULT_TENANT).venue_ids == ()
    assert len(caplog.records) == 2
    path.write_text("st_b\n")
    assert held.of(DEFAULT_TENANT).venue_ids == (VENUE_ID,)
    assert held.sensitive(DEFAULT_TENANT) == {VENUE_ID: {"st_b"}}


def test_a_list_with_the_mark_of_an_editor_is_read_and_one_that_is_no_text_refused(tmp_path: Path) -> None:
    store = VenueStore(tmp_path)
    path = store.sensitive_path(DEFAULT_TENANT, VENUE_ID)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xef\xbb\xbfst_a\n")
    assert store.sensitive_of(DEFAULT_TENANT, None, VENUE_ID) == {"st_a"}
    path.write_bytes(BROKEN)
    with pytest.raises(VenueFileError):
        store.sensitive_of(DEFAULT_TENANT, None, VENUE_ID)
