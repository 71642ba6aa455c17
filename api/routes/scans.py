"""``POST /v1/scans``: one scan or up to a thousand; JSON, NDJSON or msgpack in, the same out, in order."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from api.access import caller_of, services_of
from api.body import MAX_SCANS_BODY, read_body
from api.errors import BodyTooLargeError, MalformedBodyError, UnsupportedMediaError
from api.ports import Caller
from api.problems import problem_of
from api.routes.documents import SCAN_ANSWER, SCAN_BODY, problems
from fingerprints.errors import ScanFormatError
from fingerprints.scan import LabelledScan, Scan
from fingerprints.wire import ScanWire, decode_json, decode_msgpack, is_utf8, to_labelled_scan, to_scan
from kernel.errors import AtriumError

MAX_SCANS = 1_000

router = APIRouter(tags=["location"])

Raw = bytes | msgspec.Raw
Decode = Callable[[Raw], ScanWire]


class _Envelope(msgspec.Struct):
    scans: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


_json_envelope = msgspec.json.Decoder(_Envelope)
_msgpack_envelope = msgspec.msgpack.Decoder(_Envelope)


@router.post(
    "/v1/scans",
    summary="Where are these phones, and what should they see?",
    openapi_extra={"requestBody": SCAN_BODY},
    responses={200: SCAN_ANSWER, **problems(400, 401, 403, 413, 415, 422, 429, 503)},
    response_class=Response,
)
async def post_scans(request: Request) -> Response:
    """Answer scans. A bad scan in a batch is answered in its place; alone it is a 422."""
    caller = caller_of(request, "locate")
    media = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media not in _READERS:
        raise UnsupportedMediaError(f"{media[:60]!r} is not read; {', '.join(_READERS)} are")
    body = await read_body(request, MAX_SCANS_BODY)
    return await _READERS[media](request, caller, body)


async def _json(request: Request, caller: Caller, body: bytes) -> Response:
    envelope = _open(_json_envelope.decode, body)
    if envelope.scans is msgspec.UNSET:
        return Response(await _answer_one(request, caller, body, decode_json), media_type="application/json")
    if not is_utf8(body) and all(map(is_utf8, envelope.scans)):
        raise MalformedBodyError("not readable: not UTF-8")  # beside the scans, which answer for themselves
    answers = await _answer_each(request, caller, envelope.scans, decode_json)
    return Response(b'{"results":[' + b",".join(answers) + b"]}", media_type="application/json")


async def _ndjson(request: Request, caller: Caller, body: bytes) -> Response:
    lines = [line for line in body.splitlines() if line.strip()]
    answers = await _answer_each(request, caller, lines, decode_json)
    return Response(b"".join(answer + b"\n" for answer in answers), media_type="application/x-ndjson")


async def _msgpack(request: Request, caller: Caller, body: bytes) -> Response:
    envelope = _open(_msgpack_envelope.decode, body)
    if envelope.scans is msgspec.UNSET:
        answer: Any = msgspec.json.decode(await _answer_one(request, caller, body, decode_msgpack))
    else:
        each = await _answer_each(request, caller, envelope.scans, decode_msgpack)
        answer = {"results": [msgspec.json.decode(item) for item in each]}
    return Response(msgspec.msgpack.encode(answer), media_type="application/msgpack")


_READERS = {
    "application/json": _json,
    "application/x-ndjson": _ndjson,
    "application/msgpack": _msgpack,
    "application/x-msgpack": _msgpack,
}


def _open(decode: Callable[[bytes], _Envelope], body: bytes) -> _Envelope:
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        if "scans" in str(error):
            raise MalformedBodyError(f"expected a list: {error}", "scans") from None
        raise MalformedBodyError(f"expected a scan, or an object with `scans`: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedBodyError(f"not readable: {error}") from None
    except RecursionError:
        raise MalformedBodyError("nested too deeply") from None


async def _answer_one(request: Request, caller: Caller, raw: Raw, decode: Decode) -> bytes:
    (answer,) = await services_of(request).scans.answer(caller.tenant, [_to_domain(decode(raw))])
    if isinstance(answer, AtriumError):
        raise answer
    return answer


async def _answer_each(request: Request, caller: Caller, raws: Sequence[Raw], decode: Decode) -> list[bytes]:
    if len(raws) > MAX_SCANS:
        raise BodyTooLargeError(f"{len(raws)} scans in one call, at most {MAX_SCANS} are taken")
    scans: list[Scan | LabelledScan] = []
    refused: dict[int, bytes] = {}
    for index, raw in enumerate(raws):
        scan_id: str | None = None
        try:
            wire = decode(raw)
            scan_id = wire.scan_id
            scans.append(_to_domain(wire))
        except ScanFormatError as error:
            refused[index] = _refusal(scan_id or _scan_id_of(raw, decode), error)
    given = iter(await services_of(request).scans.answer(caller.tenant, scans) if scans else [])
    asked = iter(scans)
    return [refused[i] if i in refused else _in_place(next(asked), next(given)) for i in range(len(raws))]


def _in_place(scan: Scan | LabelledScan, answer: bytes | AtriumError) -> bytes:
    if isinstance(answer, AtriumError):
        return _refusal(scan.scan.scan_id if isinstance(scan, LabelledScan) else scan.scan_id, answer)
    return answer


def _to_domain(wire: ScanWire) -> Scan | LabelledScan:
    return to_scan(wire) if wire.truth is None else to_labelled_scan(wire)


def _refusal(scan_id: str | None, error: AtriumError) -> bytes:
    return msgspec.json.encode({"scan_id": scan_id, "error": problem_of(error)})


class _IdOnly(msgspec.Struct):
    scan_id: str | None = None


_id_json = msgspec.json.Decoder(_IdOnly)
_id_msgpack = msgspec.msgpack.Decoder(_IdOnly)


def _scan_id_of(raw: Raw, decode: Decode) -> str | None:
    """The id of a scan that is otherwise wrong, where it can be read, so that the caller can tell which it was."""
    try:
        held = (_id_json if decode is decode_json else _id_msgpack).decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return None if held.scan_id is None else held.scan_id[:128]
