"""The server's one secret, in a file that its owner alone can read, and the keys derived from it."""

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import SettingsError

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """One key a use, so that none can stand in for another.

    Args:
        people: makes device and person pseudonyms from device ids.
        codes: makes coupon codes from sequence numbers.
        consumers: makes the daily pseudonym a reader of visits sees.
        webhooks: makes the secrets that webhooks are signed with.
        payments: makes the digests that tell whether a payment is told again with something else.
    """

    people: bytes
    codes: bytes
    consumers: bytes
    webhooks: bytes
    payments: bytes


def load_server_keys(data_dir: Path) -> ServerKeys:
    """Read the secret, making it on first use (mode 0600, written whole or not at all).

    Raises:
        SettingsError: the file is damaged. A new secret would orphan every pseudonym and coupon, so none is made.
    """
    path = data_dir / "secret.key"
    if not path.exists():
        fresh = path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)  # fails when another process was first; its secret then holds
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    secret = path.read_bytes()
    if len(secret) != _SECRET_BYTES:
        raise SettingsError(f"{path} is damaged: expected {_SECRET_BYTES} bytes, found {len(secret)}")
    uses = b"people", b"codes", b"consumers", b"webhooks", b"payments"
    return ServerKeys(*(hashlib.blake2b(key=secret, person=use).digest() for use in uses))
