"""LoRA adapters on the embedded weights: the one that ships, and files of one's own.

An adapter is trained on one model's weights and worthless on any other, so it names them.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from planwarden.contracts.value import digest_bytes
from planwarden.errors import ModelFileRejected
from planwarden.llm.embedded import gguf, model_file

BASE_KEY = "planwarden.base.digest"
"""In the adapter's file: the digest of the weights that it was trained on."""
INSTALLED = "planner.gguf"
"""What `planwarden tune planner` calls the adapter it installs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedAdapter:
    """An adapter in the wheel, pinned like the weights that it sits on."""

    file_name: str
    sha256: str
    base: model_file.Weights

    @property
    def digest(self) -> str:
        """Give the digest in the form that the record uses."""
        return f"sha256:{self.sha256}"


PLANNER = ShippedAdapter(
    file_name="smollm2-135m-planner.gguf",
    sha256="c3f2ed72b4bd0f659a56f2664b4be6cc8e8034cd16754f55dc0d831b3a0e5310",
    base=model_file.SMOLLM2,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """An adapter that may be loaded."""

    path: Path
    digest: str
    label: str
    """What the model's name gets behind a `+`."""

    def on(self, base: str) -> str:
        """Name weights with this adapter on: another model than the weights alone. Pure."""
        return digest_bytes(f"{base}+{self.digest}".encode())


def shipped(base: str, wanted: ShippedAdapter = PLANNER) -> Adapter | None:
    """Give the adapter that ships for these weights, its bytes checked. Blocks.

    None for other weights, and in an installation that was made without it.

    Raises:
        ModelFileRejected: it has other bytes than were shipped.
    """
    if base != wanted.base.digest:
        return None
    with as_file(files("planwarden.llm.embedded") / "adapters" / wanted.file_name) as path:
        if not path.is_file():
            return None
        digest = model_file.digest_of(path)
    if digest != wanted.digest:
        raise ModelFileRejected(
            f"{path} is not the adapter that ships: expected {wanted.digest}, found {digest}.",
            remedy="Install Planwarden again, or set PLANNER_LLM__ADAPTER=none.",
        )
    return Adapter(path=path, digest=digest, label="planner")


def own(path: Path, base: str) -> Adapter:
    """Give an adapter of the user's, after a look at whether it is one for these weights. Blocks.

    Raises:
        ModelFileRejected: unreadable, no LoRA adapter, or trained on other weights.
    """
    try:
        facts = gguf.read_facts(path)
    except (OSError, ValueError) as error:
        raise ModelFileRejected(f"The adapter {path} cannot be read: {error}.", remedy=_REMEDY) from error
    if (facts.get("general.type"), facts.get("adapter.type")) != ("adapter", "lora"):
        raise ModelFileRejected(f"{path} is no LoRA adapter in the GGUF format.", remedy=_REMEDY)
    trained_on = facts.get(BASE_KEY)
    if trained_on not in (None, base):
        raise ModelFileRejected(
            f"The adapter {path} was trained on other weights ({trained_on}) than these ({base}).",
            remedy=_REMEDY,
        )
    return Adapter(path=path, digest=model_file.digest_of(path), label=path.stem)


def automatic(adapters: Path | None, base: str) -> Adapter | None:
    """Give what `auto` means: one installed for these weights, else the one that ships, else none. Blocks.

    Raises:
        ModelFileRejected: the one that ships is broken.
    """
    installed = adapters / INSTALLED if adapters else None
    if installed is not None and installed.is_file():
        try:
            return own(installed, base)
        except ModelFileRejected:  # for other weights than are in use now: not for this model
            return shipped(base)
    return shipped(base)


_REMEDY = "Name an adapter that was made for this model, or set PLANNER_LLM__ADAPTER=none."
