"""Signed checkpoints: what makes a cut or rewritten journal visible to anybody who has the public key.

A checkpoint says how many records there were and what the last one's hash was, signed with Ed25519. Its text is plain
lines, so that `openssl pkeyutl` checks it too. May import the hot path and errors. Loads `cryptography`, so import this
module only where something is signed or verified.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from levaithan.errors import LevaithanError
from levaithan.hot import segments

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = "levaithan-checkpoint/1"
_BEGIN, _END = b"-----BEGIN PUBLIC KEY-----", b"-----END PUBLIC KEY-----"


class KeyUnusable(LevaithanError):  # noqa: N818 - named for people
    """The key {path} cannot be used: {reason}."""

    code = "key_unusable"
    fix = (
        "restore it from a backup; or move it away and run `levaithan setup`, which makes a new one (keep the old .pub)"
    )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`size` records there were, `head` was the last one's hash. source: where it was seen, in words."""

    journal: str
    size: int
    head: str
    at: str
    key_id: str
    signature: str
    source: str = ""

    def text(self) -> bytes:
        """What is signed."""
        return f"{FORMAT}\n{self.journal}\n{self.size}\n{self.head}\n{self.at}\n".encode()

    def as_dict(self) -> dict[str, Any]:
        """As it is exported, and as it stands in checkpoints.jsonl."""
        names = ("journal", "size", "head", "at", "key_id", "signature")
        return {name: getattr(self, name) for name in names}

    def body(self) -> bytes:
        """As a journal record, without its number."""
        return segments.encode({"v": 1, "kind": "checkpoint", **self.as_dict()})


def from_record(record: Mapping[str, Any], source: str) -> Checkpoint:
    """The checkpoint in a journal record, an exported line or a ledger row. Raises ValueError when it is none."""
    size = record.get("size")
    texts = {name: record.get(name) for name in ("journal", "head", "at", "key_id", "signature")}
    if type(size) is not int or size < 0 or not all(isinstance(value, str) for value in texts.values()):
        raise ValueError("it is no checkpoint")
    return Checkpoint(size=size, source=source, **{name: str(value) for name, value in texts.items()})


class Key:
    """The signing key. id: the first 16 hex digits of the SHA-256 of the raw public key; public: PEM."""

    def __init__(self, private: Ed25519PrivateKey) -> None:

        public = private.public_key()
        self._private = private
        self.id = key_id(public.public_bytes(Encoding.Raw, PublicFormat.Raw))
        self.public = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, journal: str, size: int, head: str) -> Checkpoint:
        """A checkpoint of now."""
        bare = Checkpoint(journal, size, head, segments.now(), self.id, "")
        signature = base64.b64encode(self._private.sign(bare.text())).decode()
        return Checkpoint(journal, size, head, bare.at, self.id, signature)


def key_id(raw: bytes) -> str:
    """The name of a raw public key (32 bytes)."""
    return hashlib.sha256(raw).hexdigest()[:16]


def ensure_key(private: str, public: str) -> Key:
    """The key in the file `private`, made when there is none; `public` is written when it is missing.

    Of two processes that make it at once, one wins and both have the same. Raises KeyUnusable, OSError.
    """
    if not Path(private).exists():
        Path(private).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _place(private, _new_pem(), 0o600)
    key = load_key(private)
    if not Path(public).exists():
        _place(public, key.public, 0o644)
    return key


def load_key(path: str) -> Key:
    """The key in a PEM file that only its owner can read. Raises KeyUnusable."""
    try:
        mode = Path(path).stat().st_mode
        data = Path(path).read_bytes()
    except OSError as error:
        raise KeyUnusable(path=path, reason=error.strerror) from None
    if mode & 0o077:
        raise KeyUnusable(
            path=path, reason=f"others may read it (mode {mode & 0o777:04o})", fix=f"run `chmod 600 {path}`"
        )
    try:
        key = load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyUnusable(path=path, reason="it is no PEM private key without a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(path=path, reason="it is no Ed25519 key")
    return Key(key)


def public_keys(data: bytes) -> dict[str, Ed25519PublicKey]:
    """The public keys in `data` by id: raw (32 bytes), or any number of PEM blocks (old keys stay valid so).

    Raises ValueError when there is none.
    """

    if len(data) == 32:
        return {key_id(data): Ed25519PublicKey.from_public_bytes(data)}
    found = {}
    for part in data.split(_END)[:-1]:
        try:
            key = load_pem_public_key(_BEGIN + part.partition(_BEGIN)[2] + _END)
        except UnsupportedAlgorithm as error:  # what one flipped bit makes of it
            raise ValueError(str(error)) from None
        if isinstance(key, Ed25519PublicKey):
            found[key_id(key.public_bytes(Encoding.Raw, PublicFormat.Raw))] = key
    if not found:
        raise ValueError("there is no Ed25519 public key (PEM) in it")
    return found


def check(checkpoint: Checkpoint, keys: Mapping[str, Ed25519PublicKey]) -> str:
    """Why `checkpoint` is not signed by one of `keys`, in words; "" when it is."""

    key = keys.get(checkpoint.key_id)
    if key is None:
        return f"it was made with another key ({checkpoint.key_id[:16]})"
    try:
        key.verify(base64.b64decode(checkpoint.signature, validate=True), checkpoint.text())
    except (InvalidSignature, ValueError):
        return "its signature does not fit"
    return ""


def _new_pem() -> bytes:

    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _place(path: str, data: bytes, mode: int) -> None:
    """Put a whole file at `path` unless another process did first; on the disk when this returns."""
    temporary = Path(f"{path}.{secrets.token_hex(6)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            Path(path).hardlink_to(temporary)
        except FileExistsError:
            return
    finally:
        temporary.unlink()
    folder = os.open(Path(path).parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
