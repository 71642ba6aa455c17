"""``POST /v1/scans``: one scan or up to a thousand; JSON, NDJSON or msgpack in, the same out, in order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from fastapi import APIRouter, Request, Response

from api.access import caller_of, services_of
from api.body import MAX_SCANS_BODY, read_body, work
from api.errors import BodyTooLargeError, MalformedBodyError, UnsupportedMediaError
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
    caller = await caller_of(request, "locate")
    media = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    form = _FORMS.get(media)
    if form is None:
        raise UnsupportedMediaError(f"{media[:60]!r} is not read; {', '.join(_FORMS)} are")
    body = await read_body(request, MAX_SCANS_BODY)
    asked = await work(len(body), lambda: form.read(body))
    given = await services_of(request).scans.answer(caller.tenant, asked.scans) if asked.scans else []
    content = await work(len(body), lambda: form.write(asked, given))
    return Response(content, media_type=form.media_type)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A body decoded: the scans to answer, in order, and the refusals of the others by their place."""

    scans: Sequence[Scan | LabelledScan]
    refused: Mapping[int, bytes]
    is_alone: bool = False
    """One scan, not in a list: its error is the call's."""

    def answers(self, given: Sequence[bytes | AtriumError]) -> list[bytes]:
        """The answer or problem of each place, in JSON."""
        if self.is_alone:
            (answer,) = given
            if isinstance(answer, AtriumError):
                raise answer
            return [answer]
        told = iter(map(_in_place, self.scans, given))
        return [self.refused[i] if i in self.refused else next(told) for i in range(len(given) + len(self.refused))]


def _read_json(body: bytes) -> _Asked:
    envelope = _open(_json_envelope.decode, body)
    if envelope.scans is msgspec.UNSET:
        return _read_one(body, decode_json)
    if not is_utf8(body) and all(map(is_utf8, envelope.scans)):
        raise MalformedBodyError("not readable: not UTF-8")  # beside the scans, which answer for themselves
    return _read_each(envelope.scans, decode_json)


def _read_ndjson(body: bytes) -> _Asked:
    return _read_each([line for line in body.splitlines() if line.strip()], decode_json)


def _read_msgpack(body: bytes) -> _Asked:
    envelope = _open(_msgpack_envelope.decode, body)
    if envelope.scans is msgspec.UNSET:
        return _read_one(body, decode_msgpack)
    return _read_each(envelope.scans, decode_msgpack)


def _read_one(body: bytes, decode: Decode) -> _Asked:
    return _Asked([_to_domain(decode(body))], {}, is_alone=True)


def _read_each(raws: Sequence[Raw], decode: Decode) -> _Asked:
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
    return _Asked(scans, refused)


def _write_json(asked: _Asked, given: Sequence[bytes | AtriumError]) -> bytes:
    answers = asked.answers(given)
    return answers[0] if asked.is_alone else b'{"results":[' + b",".join(answers) + b"]}"


def _write_ndjson(asked: _Asked, given: Sequence[bytes | AtriumError]) -> bytes:
    return b"".join(answer + b"\n" for answer in asked.answers(given))


def _write_msgpack(asked: _Asked, given: Sequence[bytes | AtriumError]) -> bytes:
    answers = [msgspec.json.decode(answer) for answer in asked.answers(given)]
    return msgspec.msgpack.encode(answers[0] if asked.is_alone else {"results": answers})


@dataclass(frozen=True, slots=True)
class _Form:
    """One form of bodies: how it is read and written."""

    media_type: str
    read: Callable[[bytes], _Asked]
    write: Callable[[_Asked, Sequence[bytes | AtriumError]], bytes]


_MSGPACK = _Form("application/msgpack", _read_msgpack, _write_msgpack)
_FORMS = {
    "application/json": _Form("application/json", _read_json, _write_json),
    "application/x-ndjson": _Form("application/x-ndjson", _read_ndjson, _write_ndjson),
    "application/msgpack": _MSGPACK,
    "application/x-msgpack": _MSGPACK,
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
