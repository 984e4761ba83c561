"""What can be tuned about the router, and the record of how it was tuned."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from planwarden.contracts.value import Contract, Digest
from planwarden.errors import DataRejected

Handoff = Literal["none", "chain", "words"]
"""`none`: no step uses another's result; `chain`: each uses that of the one before; `words`: it does where
its clause has a word that points back, like `it` or `then`."""
AgentRule = Literal["specialised", "described"]
"""`specialised`: of those that may call a tool the agent with the fewest tools; `described`: the one whose
description has most words of the request, then the fewest tools."""

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class RouterSettings(Contract):
    """Everything that the router decides by."""

    k1: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.2
    """How soon a word that a tool repeats counts no more (BM25)."""
    b: Share = 0.75
    """How much long descriptions are held against a tool (BM25)."""
    keyword_boost: Weight = 1.0
    """What a word of the request counts on top where it stands in the tool's name."""
    example_weight: Weight = 1.0
    """What a word of a tool's examples counts beside one of its description."""
    topic_weight: Weight = 1.0
    """The same for the words that its data speaks of."""
    by_clause: bool = True
    """Whether each clause of a request is looked at by itself."""
    heard: Share = 0.35
    """A clause counts where its best tool scores at least this share of the best clause's."""
    near: Share = 0.9
    """A tool is planned that scores at least this share of the best one for the clause."""
    most: Annotated[int, Field(ge=1, le=8)] = 1
    """How many tools a clause gets at most."""
    repeats: bool = False
    """Whether two clauses may plan the same tool."""
    least: Share = 0.1
    """Nothing fits where the best tool has less than this share of what the clause could score."""
    ask_below: Annotated[int, Field(ge=0, le=8)] = 0
    """With fewer words that say something, the request is asked back."""
    handoff: Handoff = "words"
    agent_rule: AgentRule = "specialised"


class Scored(Contract):
    """A mean with its 95 % bootstrap interval, over how many tasks."""

    mean: float
    low: float
    high: float
    count: int


class RouterRecord(Contract):
    """Settings of the router with what they were fitted on and what that was worth."""

    settings: RouterSettings
    fitted_on: dict[str, int]
    """Source of tasks → how many."""
    tasks_digest: Digest
    tried: int
    """How many settings were scored on all of the tasks."""
    node_f1: Scored
    """Of tasks that the settings were not chosen on: five folds, each routed by the best of the others."""
    exact: Scored
    """Likewise, the share of plans exactly right."""
    agents: Scored | None
    """Likewise, the share with the right agents; None where no task says who is right."""
    at: str
    """The day, as YYYY-MM-DD."""


def shipped_router() -> RouterRecord:
    """Give the settings that ship, with their record."""
    place = files("planwarden.evaluation.router").joinpath("router.json")
    return RouterRecord.model_validate_json(place.read_text("utf-8"))


def read_router(path: Path) -> RouterRecord:
    """Read settings that `planwarden tune router` wrote.

    Raises:
        DataRejected: the file cannot be read, or holds something else.
    """
    remedy = "`planwarden tune router --out FILE` writes one."
    try:
        return RouterRecord.model_validate_json(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataRejected(f"{path} cannot be read: {error}.", remedy=remedy) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataRejected(
            f"{path} is no record of a router: {place or 'the file'}: {first['msg']}.", remedy=remedy
        ) from error
