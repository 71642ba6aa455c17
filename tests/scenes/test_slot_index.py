"""Names keep their places, whatever comes and goes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.ids import DeviceRef
from scenes.slot_index import SlotIndex

refs = st.integers(0, 200).map(lambda n: DeviceRef(f"dev_{n * 2654435761:024d}"))
steps = st.lists(st.tuples(st.booleans(), st.lists(refs, max_size=120)), max_size=12)


@given(steps)
@settings(deadline=None, max_examples=200)
def test_it_holds_what_a_dictionary_holds(asked: list[tuple[bool, list[DeviceRef]]]) -> None:
    index, plain = SlotIndex(), dict[DeviceRef, int]()
    for is_added, some in asked:
        if is_added:
            plain |= dict(zip(some, index.add(some).tolist(), strict=True))
        else:
            index.drop(some)
            for ref in some:
                plain.pop(ref, None)
        every = [DeviceRef(f"dev_{n * 2654435761:024d}") for n in range(201)]
        assert index.find(every).tolist() == [plain.get(ref, -1) for ref in every]
        assert set(index) == set(plain)
        assert len(index) == len(plain) == len(set(plain.values()))
        assert sorted(plain.values()) == index.slots.tolist()


def test_names_of_any_length_to_32_bytes_are_told_apart() -> None:
    names = [DeviceRef(name) for name in ("", "a", "aa", "ä", "a" * 31, "a" * 32)]
    index = SlotIndex()
    assert index.add(names).tolist() == [0, 1, 2, 3, 4, 5]
    assert index.find([*names, DeviceRef("b")]).tolist() == [0, 1, 2, 3, 4, 5, -1]


@pytest.mark.parametrize("name", ["a" * 33, "a\nb", "a\0"])
def test_a_name_that_would_be_taken_for_another_is_refused(name: str) -> None:
    index = SlotIndex()
    with pytest.raises(ValueError, match="32 bytes"):
        index.add([DeviceRef("x"), DeviceRef(name)])
    assert np.array_equal(index.find([DeviceRef("x")]), [-1])
