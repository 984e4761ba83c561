"""Ed25519 keys: the one that this home signs with, and the names of others'."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from planwarden.contracts.value import digest_bytes
from planwarden.errors import InputError, SigningKeyRejected, StoreUnavailable

# `cryptography` takes 60 ms to load: only what signs or checks a signature does so.
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_FINGERPRINT = re.compile("sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key that signatures are checked with."""

    pem: str
    """As SubjectPublicKeyInfo, which openssl and others read."""
    fingerprint: str
    """The digest of its 32 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """The key of this home."""

    public: PublicKey
    private: Ed25519PrivateKey

    def sign(self, message: bytes) -> bytes:
        """Sign bytes; the same bytes get the same signature."""
        return self.private.sign(message)


def signing_key(path: Path) -> SigningKey:
    """Read the key at `path`, made on first use so that only its owner can read it.

    Raises:
        SigningKeyRejected: it is no Ed25519 key, or others may read it.
        StoreUnavailable: it cannot be read or made.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - heavy; see above
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    data = _read_or_make(path)
    try:
        private = load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _refused(path, "it cannot be read") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise _refused(path, "it is no Ed25519 key")
    return SigningKey(public=_named(private.public_key()), private=private)


def read_public_key(pem: str) -> PublicKey:
    """Read a public key.

    Raises:
        ValueError: it is no Ed25519 key in the one form that it is written in.
    """
    public = _loaded(pem.encode())
    named = _named(public)
    if named.pem != pem:
        raise ValueError("not written as we write keys")
    return named


def pinned(given: str) -> str:
    """Give the fingerprint that a person pins, by itself or as a file with the public key.

    Raises:
        InputError: it is neither.
    """
    if _FINGERPRINT.fullmatch(given):
        return given
    remedy = (
        "Give sha256: and 64 digits, or the file with the public key that `planwarden dossier key` prints."
    )
    try:
        with Path(given).open("rb") as file:
            return _named(_loaded(file.read(16_384))).fingerprint
    except OSError as error:
        raise InputError(
            f"The key {given} cannot be read: {error.strerror or error}.", remedy=remedy
        ) from error
    except ValueError as error:
        raise InputError(f"{given} holds no Ed25519 public key.", remedy=remedy) from error


def is_signed(key: PublicKey, signature: bytes, message: bytes) -> bool:
    """Tell whether a signature of these bytes is that of this key."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - heavy; see above

    try:
        _loaded(key.pem.encode()).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _loaded(pem: bytes) -> Ed25519PublicKey:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - heavy; see above
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        public = load_pem_public_key(pem)
    except UnsupportedAlgorithm as error:
        raise ValueError("an unknown kind of key") from error
    if not isinstance(public, Ed25519PublicKey):
        raise ValueError("no Ed25519 key")  # noqa: TRY004 - the caller's words, not its types
    return public


def _named(public: Ed25519PublicKey) -> PublicKey:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - heavy

    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return PublicKey(pem=pem, fingerprint=digest_bytes(public.public_bytes_raw()))


def _read_or_make(path: Path) -> bytes:
    try:
        if not path.exists():
            _make(path)
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and mode & 0o077:
                raise _refused(path, "others than its owner may read it", do=f"Say `chmod 600 {path}`.")
            return file.read(16_384)
    except OSError as error:
        raise StoreUnavailable(
            f"The signing key {path} cannot be read or made: {error.strerror or error}.",
            remedy="Make the folder writable, or set PLANWARDEN_HOME.",
        ) from error


def _make(path: Path) -> None:
    """Make a key elsewhere and link it into place; when another process was first, its key stays."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - heavy
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - heavy
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # only its owner may read it
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()


def _refused(path: Path, reason: str, *, do: str = "") -> SigningKeyRejected:
    remedy = do or "Restore it from a copy, or move it away: a new one is made, with another fingerprint."
    return SigningKeyRejected(f"The signing key {path} cannot be used: {reason}.", remedy=remedy)
