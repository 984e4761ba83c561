"""What every part of the benchmark is given, and the seam to the planner that is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from benchmarks.planner.remembering import RememberingLLM
from benchmarks.planner.splits import Split

from planwarden.contracts.clock import Clock
from planwarden.evaluation.contestants import Contestant, Plans
from planwarden.evaluation.plan_benchmark import Judged, run_benchmark
from planwarden.evaluation.plan_tasks import PlanTask
from planwarden.llm.service import LLMService
from planwarden.planning.prior import PriorSource

Mode = Literal["prior", "model", "fused"]
MODES: tuple[Mode, ...] = ("prior", "model", "fused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How many tasks each part is given at most."""

    tasks: int
    """Planned without a model."""
    model_tasks: int
    """Planned with one, in cross-validation and again with each source left out."""
    bare: int
    """Planned by the prompt of a framework, which takes half a minute each."""
    hostile: int
    """Planned with each hostile model."""
    latency: int
    """Planned for their time alone."""
    own: int
    """Over our own catalog."""
    worlds: int
    """Planned with a model, over catalogs that nobody planned over before."""

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Sizes:
        """Read them from PLANWARDEN_BENCH_*; PLANWARDEN_BENCH_TASKS caps them all.

        Raises:
            ValueError: one is not a whole number.
        """
        cap = int(environment.get("PLANWARDEN_BENCH_TASKS", "1000000"))

        def size(name: str, full: int, share: float = 1.0) -> int:
            given = environment.get(f"PLANWARDEN_BENCH_{name}")
            return int(given) if given else min(full, max(1, int(cap * share)))

        return cls(
            tasks=cap,
            model_tasks=size("MODEL_TASKS", 300),
            bare=size("BARE", 60, share=0.1),
            hostile=size("HOSTILE", 150),
            latency=size("LATENCY", 100),
            own=size("OWN", 1_000),
            worlds=size("WORLDS", 144),
        )


class Makes(Protocol):
    """Makes what is measured."""

    def fitted(self, known: Sequence[PlanTask]) -> Fitted:
        """Fit what can be learned from tasks, and remember them; nothing else may come into it."""
        ...

    def shipped(self, *, always_asks: bool = False) -> Fitted:
        """Give what a newcomer has: the weights that ship, nothing remembered.

        `always_asks`: a model is asked even where its word can change nothing.
        """
        ...


class Fitted(Protocol):
    """A planner that knows certain tasks."""

    def source(self) -> PriorSource:
        """Give where its priors come from, with nothing indexed in this process yet."""
        ...

    def planner(self, mode: Mode, llm: LLMService) -> Plans:
        """Give the planner in a mode, with a model to ask."""
        ...

    def contestant(self, mode: Mode, llm: LLMService) -> Contestant:
        """Give the same for tasks that bring their own tools, with what it remembers."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What the parts share."""

    tasks: tuple[PlanTask, ...]
    """Of the dev set; empty where it is not there."""
    sizes: Sizes
    llm: LLMService
    makes: Makes
    clock: Clock
    tell: Callable[[str], None]
    """Says on stderr how far things are."""

    async def judge(self, what: str, tasks: Sequence[PlanTask], contestant: Contestant) -> tuple[Judged, ...]:
        """Have tasks planned and scored; says how far it is now and then."""
        began, done = self.clock.monotonic(), 0

        def progress(_: Judged) -> None:
            nonlocal done
            done += 1
            if done % 25 == 0 or done == len(tasks):
                self.tell(f"{what}: {done} of {len(tasks)}, {self.clock.monotonic() - began:.0f} s")

        return await run_benchmark(tasks, contestant, progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossed:
    """Predictions for tasks that the planner did not know, split by split."""

    judged: Mapping[Mode, tuple[Judged, ...]]
    fold: Mapping[str, int]
    """Task id → the split in which it was judged."""


async def crossed(bench: Bench, splits: Sequence[Split], with_model: frozenset[str]) -> Crossed:
    """Judge each split by a planner that knows only what the split lets it know.

    Args:
        bench: with the model and the maker of planners.
        splits: to be judged one after the other.
        with_model: ids of the tasks that are planned with a model too.
    """
    found: dict[Mode, list[Judged]] = {mode: [] for mode in MODES}
    for split in splits:
        bench.tell(f"{split.name}: fitting on {len(split.known)} tasks")
        fitted = bench.makes.fitted(split.known)
        sampled = [task for task in split.judged if task.id in with_model]
        asked = RememberingLLM(bench.llm)
        for mode in MODES:
            tasks = split.judged if mode == "prior" else sampled
            contestant = fitted.contestant(mode, asked)
            found[mode] += await bench.judge(f"{split.name}, {mode}", tasks, contestant)
    fold = {task.id: place for place, split in enumerate(splits) for task in split.judged}
    return Crossed(judged={mode: tuple(judged) for mode, judged in found.items()}, fold=fold)
