"""The zip around an IMDF archive, opened as what it is: bytes from a stranger.

Nothing is written to disk, nothing is inflated before the directory's sizes were found sane, and no member
inflates beyond what the directory said.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable
from typing import Final

from venues.faults import Fault, FaultCode

MAX_MEMBERS: Final = 1_000
"""IMDF has 17 files; the rest of the room is for what macOS and editors leave in an archive."""
MAX_MEMBER_BYTES: Final = 64 * 2**20
"""The largest sample seen is 1.5 MB for 1,600 features; parsed JSON takes about ten times its text."""
MAX_TOTAL_BYTES: Final = 128 * 2**20
MAX_RATIO: Final = 200
"""GeoJSON deflates 5 to 40 times, a bomb up to 1,032 times."""
_RATIO_COUNTS_FROM_BYTES: Final = 2**20
"""A small file of blanks may deflate well and harms nobody."""

_ZIP_ERRORS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    IndexError,
)
"""What the standard library's reader raises on bytes that are no sound archive (ValueError covers Unicode)."""


def open_members(data: bytes) -> tuple[dict[str, bytes], list[Fault]]:
    """The archive's files by name, the one folder around them taken off, and what is wrong with it.

    Where the faults are structural, the files are those that could still be read.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _ZIP_ERRORS as error:
        return {}, [Fault(None, None, FaultCode.NOT_A_ZIP, f"not a zip archive: {error}")]
    with archive:
        infos = archive.infolist()
        faults = [*_size_faults(infos), *_path_faults(infos)]
        if faults:
            return {}, faults
        members: dict[str, bytes] = {}
        wanted = [(info, _parts(info.filename)) for info in infos if not info.is_dir()]
        wanted = [(info, parts) for info, parts in wanted if parts and not _is_litter(parts)]
        roots = {parts[0] for _, parts in wanted if len(parts) > 1}
        inner = len(roots) == 1 and all(len(parts) > 1 for _, parts in wanted)
        for info, parts in wanted:
            name = "/".join(parts[1:] if inner else parts)
            if name in members:
                faults.append(Fault(name, None, FaultCode.DUPLICATE_FILE, "the archive holds this file twice"))
                continue
            content = _inflate(archive, info, name, faults)
            if content is not None:
                members[name] = content
    return members, faults


def _size_faults(infos: list[zipfile.ZipInfo]) -> Iterable[Fault]:
    if len(infos) > MAX_MEMBERS:
        yield Fault(None, None, FaultCode.ZIP_BOMB, f"expected at most {MAX_MEMBERS} members, found {len(infos)}")
        return
    total = sum(info.file_size for info in infos)
    if total > MAX_TOTAL_BYTES:
        yield Fault(None, None, FaultCode.ZIP_BOMB, f"expected at most {MAX_TOTAL_BYTES} bytes in all, found {total}")
    for info in infos:
        if info.file_size > MAX_MEMBER_BYTES:
            message = f"expected at most {MAX_MEMBER_BYTES} bytes, found {info.file_size}"
            yield Fault(_shown(info), None, FaultCode.ZIP_BOMB, message)
        elif info.file_size > _RATIO_COUNTS_FROM_BYTES and info.file_size > MAX_RATIO * info.compress_size:
            message = f"{info.compress_size} bytes inflate to {info.file_size}, more than {MAX_RATIO} times as many"
            yield Fault(_shown(info), None, FaultCode.ZIP_BOMB, message)


def _path_faults(infos: list[zipfile.ZipInfo]) -> Iterable[Fault]:
    for info in infos:
        name = info.orig_filename.replace("\\", "/")
        is_absolute = name.startswith("/") or name[1:2] == ":"
        if is_absolute or ".." in name.split("/") or "\x00" in name:
            yield Fault(_shown(info), None, FaultCode.UNSAFE_PATH, "expected a path inside the archive")


def _parts(filename: str) -> list[str]:
    return [part for part in filename.replace("\\", "/").split("/") if part not in ("", ".")]


def _is_litter(parts: list[str]) -> bool:
    """What macOS puts into archives beside the files that were meant."""
    return "__MACOSX" in parts or parts[-1].startswith("._") or parts[-1] == ".DS_Store"


def _inflate(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, faults: list[Fault]) -> bytes | None:
    if info.flag_bits & 0x1:
        faults.append(Fault(name, None, FaultCode.UNREADABLE_MEMBER, "encrypted"))
        return None
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        faults.append(Fault(name, None, FaultCode.UNREADABLE_MEMBER, f"compression method {info.compress_type}"))
        return None
    try:
        with archive.open(info) as stream:
            # the directory's size bounds the read, whatever the member's own header claims
            content = stream.read(info.file_size + 1)
    except _ZIP_ERRORS as error:
        faults.append(Fault(name, None, FaultCode.UNREADABLE_MEMBER, f"damaged: {error}"))
        return None
    if len(content) != info.file_size:
        message = f"the directory says {info.file_size} bytes, found {len(content)}"
        faults.append(Fault(name, None, FaultCode.UNREADABLE_MEMBER, message))
        return None
    return content


def _shown(info: zipfile.ZipInfo) -> str:
    return info.orig_filename[:200].encode("utf-8", "backslashreplace").decode()
