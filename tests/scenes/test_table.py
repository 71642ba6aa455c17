"""The table of scenes holds as many phones as are put into it, each under its own name."""

import numpy as np

from kernel.ids import DeviceRef
from scenes.kernels.record import N_RECORD
from scenes.table import SceneTable


def test_a_table_that_grows_keeps_every_record() -> None:
    records = {DeviceRef(f"d-{n}"): np.full(N_RECORD, n, dtype=np.int32) for n in range(300)}
    table = SceneTable()
    for ref, record in records.items():
        table.put({ref: record})
    assert {ref: int(found[0]) for ref, found in table.take(records).items()} == {
        ref: int(record[0]) for ref, record in records.items()
    }
