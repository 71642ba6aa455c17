"""Payments from CSV files, for tills without a network: read, told with line numbers, and stored like any others."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.ports import Recorded
from api.schemas.payments import read_told
from kernel.errors import AtriumError
from kernel.ids import TenantId
from members.errors import PaymentRefusedError
from members.identity import IdentityKind
from members.payment import Told
from runtime.errors import PaymentFileError
from runtime.payments import AT_ONCE, PaymentDesk, in_parts

COLUMNS: Final = (
    "source", "receipt_id", "kind", "store_id", "at", "amount", "currency", "lines",
    "payment_id", "of_receipt_id", "of_source", "reason",
)  # fmt: skip
"""Those of ``POST /v1/payments``; ``lines`` is its JSON."""
IDENTITY_COLUMNS: Final = {f"identity_{kind.value}": kind for kind in IdentityKind}
_NEEDED: Final = ("receipt_id", "at")
_WHOLE = re.compile(r"-?[0-9]{1,30}")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: what it tells, or why it tells nothing."""

    line: int
    receipt_id: str | None
    told: Told | PaymentRefusedError


@dataclass(frozen=True, slots=True)
class RowError:
    """A row that was refused."""

    line: int
    receipt_id: str | None
    error: AtriumError

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        field = getattr(self.error, "field", None)
        told = {"code": self.error.code, "field": field, "detail": str(self.error)}
        return {"line": self.line, "receipt_id": self.receipt_id, **told}


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a file: the numbers of rows that were new, had been told before, and were refused.

    ``is_kept`` is False where nothing was stored after all.
    """

    n_stored: int
    n_repeated: int
    refused: tuple[RowError, ...]
    is_kept: bool


def read_payments(path: Path, tenant: TenantId, source: str | None) -> list[Row]:
    """The rows of a file: UTF-8, with or without byte order mark, by comma or semicolon, with a header.

    Args:
        source: of rows that name none.

    Raises:
        PaymentFileError: it is no such file; a bad row is only told.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise PaymentFileError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PaymentFileError(f"{path} is not UTF-8: byte {error.start} is damaged or of another encoding") from None
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if head.count(";") > head.count(",") else ",")
    cells = _records(reader, path)
    _, names = next(cells, (1, []))
    names = [name.strip() for name in names]
    _check_header(names, path, source)
    return [_read(line, names, values, tenant, source) for line, values in cells if any(map(str.strip, values))]


def import_payments(
    desk: PaymentDesk,
    tenant: TenantId,
    rows: Sequence[Row],
    tell: Callable[[int], None],
    *,
    all_or_nothing: bool = False,
    dry_run: bool = False,
) -> Imported:
    """Store the rows in order; a good one is stored whatever the others are.

    Args:
        tell: hears how many are done.
        all_or_nothing: one refused row, and none is stored; others wait to write until all are done.
        dry_run: store none, and say what would be.
    """
    told = [row.told for row in rows if not isinstance(row.told, PaymentRefusedError)]
    is_whole = all_or_nothing or dry_run
    n_bad = len(rows) - len(told)
    if is_whole:
        may_keep = not dry_run and n_bad == 0
        outcomes, is_kept = desk.record_together(tenant, told, tell, may_keep=may_keep)
    else:
        outcomes, is_kept = [], True
        for some in in_parts(told, AT_ONCE):
            outcomes += desk.record(tenant, some)
            tell(len(outcomes))
    return _count(rows, outcomes, is_kept=is_kept)


def _count(rows: Sequence[Row], outcomes: Sequence[Recorded | AtriumError], *, is_kept: bool) -> Imported:
    given = iter(outcomes)
    refused: list[RowError] = []
    n_repeated = 0
    for row in rows:
        outcome = row.told if isinstance(row.told, PaymentRefusedError) else next(given)
        if isinstance(outcome, AtriumError):
            refused.append(RowError(row.line, row.receipt_id, outcome))
        else:
            n_repeated += outcome.is_replay
    return Imported(len(rows) - len(refused) - n_repeated, n_repeated, tuple(refused), is_kept)


def _records(reader: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each record and the line it begins on: a quoted cell may hold line ends."""
    begins = 1
    try:
        for values in reader:
            yield begins, values
            begins = reader.line_num + 1
    except csv.Error as error:
        raise PaymentFileError(f"{path}, line {begins}: {error}") from None


def _check_header(names: Sequence[str], path: Path, source: str | None) -> None:
    known = {*COLUMNS, *IDENTITY_COLUMNS}
    if unknown := [name for name in names if name not in known]:
        raise PaymentFileError(f"{path}: no column {unknown[0][:60]!r} is known; {', '.join(sorted(known))} are")
    if len(set(names)) != len(names):
        raise PaymentFileError(f"{path}: a column is there twice")
    needed = _NEEDED if source is not None else ("source", *_NEEDED)
    if missing := [name for name in needed if name not in names]:
        raise PaymentFileError(f"{path}: there is no column {missing[0]!r}")


def _read(line: int, names: Sequence[str], values: Sequence[str], tenant: TenantId, source: str | None) -> Row:
    cells = {name: value.strip() for name, value in zip(names, values, strict=False) if value.strip()}
    receipt_id = cells.get("receipt_id")
    if len(values) != len(names):
        detail = f"expected {len(names)} cells, found {len(values)}"
        return Row(line, receipt_id, PaymentRefusedError("row", detail))
    try:
        return Row(line, receipt_id, read_told(_to_json(cells, source), tenant))
    except PaymentRefusedError as error:
        return Row(line, receipt_id, error)


def _to_json(cells: dict[str, str], source: str | None) -> dict[str, Any]:
    told: dict[str, Any] = {name: cells[name] for name in COLUMNS if name in cells}
    if source is not None:
        told.setdefault("source", source)
    if "amount" in told:
        if _WHOLE.fullmatch(told["amount"]) is None:
            raise PaymentRefusedError("amount", "expected a whole number of minor units, such as 12900 for 129.00")
        told["amount"] = int(told["amount"])
    if "lines" in told:
        try:
            told["lines"] = json.loads(told["lines"])
        except (ValueError, RecursionError):
            raise PaymentRefusedError("lines", "expected a JSON list") from None
    identities = [
        {"kind": kind.value, "value": cells[name]} for name, kind in IDENTITY_COLUMNS.items() if name in cells
    ]
    return told | ({"identities": identities} if identities else {})
