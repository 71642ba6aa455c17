"""What consents and age allow."""

from datetime import UTC, datetime

import pytest

from kernel.ids import DeviceId, DeviceRef, PersonRef, TenantId
from members.device import NOTHING_ALLOWED, AgeBand, Allowance, Consent, Device, Purpose, allowance_of, device_ref

AT = datetime(2026, 1, 1, tzinfo=UTC)


def device(age: AgeBand, *purposes: Purpose) -> Device:
    consents = tuple(Consent(purpose, "1", AT) for purpose in purposes)
    return Device(DeviceRef("dev_1"), PersonRef("per_1"), age, consents)


@pytest.mark.parametrize("age", [AgeBand.CHILD, AgeBand.UNKNOWN])
def test_children_and_unknown_ages_are_never_profiled_at_any_consent(age: AgeBand) -> None:
    assert allowance_of(device(age, *Purpose)) == NOTHING_ALLOWED


def test_an_unregistered_phone_has_allowed_nothing() -> None:
    assert allowance_of(None) == NOTHING_ALLOWED


def test_each_purpose_allows_its_own_and_a_card_needs_a_visit() -> None:
    assert allowance_of(device(AgeBand.ADULT, Purpose.VISITS)) == Allowance(keeps_visits=True)
    assert allowance_of(device(AgeBand.ADULT, Purpose.MARKETING)) == NOTHING_ALLOWED
    assert allowance_of(device(AgeBand.TEEN, Purpose.VISITS, Purpose.MARKETING)).gets_cards
    assert allowance_of(device(AgeBand.ADULT, Purpose.SOCIAL, Purpose.BIOMETRIC)) == NOTHING_ALLOWED


def test_a_phone_has_another_pseudonym_in_each_tenant_and_under_each_key() -> None:
    refs = {
        device_ref(TenantId(tenant), DeviceId("d-1"), key) for tenant in ("a", "b") for key in (b"x" * 32, b"y" * 32)
    }
    assert len(refs) == 4
