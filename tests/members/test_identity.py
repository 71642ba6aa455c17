"""Ids as they come in: the same however written, refused where they are none, hidden behind the key."""

import pytest

from kernel.ids import DeviceId, TenantId
from members.device import person_ref
from members.errors import IdentityRefusedError
from members.identity import Identity, IdentityKind, identity_of

TENANT, KEY = TenantId("mall"), b"k" * 32


def made(kind: IdentityKind, text: str, region: str = "RU") -> Identity:
    return identity_of(TENANT, kind, text, KEY, region)


@pytest.mark.parametrize(
    ("kind", "writings"),
    [
        (
            IdentityKind.PHONE,
            ["+7 916 123-45-67", "8 (916) 123-45-67", "89161234567", "tel:+7-916-123-45-67", "９１６１２３４５６７"],
        ),
        (IdentityKind.PLATE, ["a123bc 77", "A123BC77", "A 123 BC·77", "a-123-bc-77", "Ａ１２３ＢＣ７７"]),
        (IdentityKind.LOYALTY, ["Mall: 0042", "mall:0042", " MALL : 0042 "]),
        (IdentityKind.PAYMENT, ["tok_7Hq", " tok_7Hq "]),
    ],
)
def test_an_id_is_the_same_in_every_writing(kind: IdentityKind, writings: list[str]) -> None:
    assert len({made(kind, text).ref for text in writings}) == 1


def test_an_id_without_issuer_is_of_the_tenants_own() -> None:
    assert made(IdentityKind.LOYALTY, "42").issuer == ""
    assert made(IdentityKind.LOYALTY, "42") != made(IdentityKind.LOYALTY, "mall:42")


def test_a_phone_without_its_country_is_of_the_tenants_region() -> None:
    assert made(IdentityKind.PHONE, "138 0013 8000", "CN") == made(IdentityKind.PHONE, "+86 13800138000", "RU")
    assert made(IdentityKind.PHONE, "+86 13800138000") != made(IdentityKind.PHONE, "+7 9161234567")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (IdentityKind.PHONE, "12"),
        (IdentityKind.PHONE, "call me"),
        (IdentityKind.PHONE, "+7 000 000 00 00"),
        (IdentityKind.PAYMENT, "4111 1111 1111 1111"),
        (IdentityKind.PAYMENT, "5555-5555-5555-4444"),
        (IdentityKind.LOYALTY, "mall:"),
        (IdentityKind.APP, "Ann.Smith@mail.com +79161234567:1"),
        (IdentityKind.APP, ":me"),
        (IdentityKind.PARTNER, ""),
        (IdentityKind.PLATE, " - "),
        (IdentityKind.APP, "mall:a\x00b"),
        (IdentityKind.BIOMETRIC, "x" * 257),
        (IdentityKind.MAKER, ""),
    ],
)
def test_what_is_no_id_is_refused_without_repeating_it(kind: IdentityKind, text: str) -> None:
    with pytest.raises(IdentityRefusedError) as refusal:
        made(kind, text)
    assert refusal.value.field == kind.value
    assert len(text) < 2 or text not in str(refusal.value)


def test_kinds_issuers_tenants_and_keys_keep_ids_apart() -> None:
    refs = [
        made(IdentityKind.LOYALTY, "mall:42").ref,
        made(IdentityKind.LOYALTY, "brand:42").ref,
        made(IdentityKind.PARTNER, "mall:42").ref,
        identity_of(TenantId("other"), IdentityKind.LOYALTY, "mall:42", KEY, "RU").ref,
        identity_of(TENANT, IdentityKind.LOYALTY, "mall:42", b"x" * 32, "RU").ref,
    ]
    assert len(set(refs)) == len(refs)


def test_a_phone_maker_id_is_the_person_that_the_phone_had_before() -> None:
    assert made(IdentityKind.MAKER, "d-1 ").ref == person_ref(TENANT, DeviceId("d-1 "), KEY)
