"""The parts of the benchmark in their order: cheap ones first, so that an interrupted run leaves most."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.planner.bench import Bench, Sizes
from benchmarks.planner.comparison import beside_a_framework
from benchmarks.planner.confidence import honesty
from benchmarks.planner.footprint import footprint
from benchmarks.planner.makers import ProductPlanners
from benchmarks.planner.new_catalogs import new_catalogs
from benchmarks.planner.own_catalog import own_catalog
from benchmarks.planner.quality import cross_validated, left_out
from benchmarks.planner.results import Results, Section
from benchmarks.planner.scale import catalog_scale
from benchmarks.planner.speed import latency
from benchmarks.planner.validity import with_hostile_models

from planwarden.app import Planwarden
from planwarden.app.machine import machine_memory
from planwarden.app.system import VERSION, processors
from planwarden.configuration.settings import load_settings
from planwarden.evaluation.plan_tasks import PlanTask, read_plan_tasks

DATA = "PLANWARDEN_PLAN_DATA"
DEFAULT_DATA = Path("../shared/data/plans-dev")
CONTEXT = 8_192
"""Of the model, in tokens: what SmolLM2 was trained for; a framework's prompt over 60 tools needs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to measure, and where to leave it."""

    parts: tuple[str, ...]
    out: Path | None = None
    keep: bool = False
    """Keep what other parts left in that file before."""
    limit: int | None = None


async def _quality(bench: Bench) -> tuple[Section, ...]:
    section, found = await cross_validated(bench)
    return section, honesty(found)


def _alone(part: Callable[[Bench], Awaitable[Section]]) -> Callable[[Bench], Awaitable[tuple[Section, ...]]]:
    async def run(bench: Bench) -> tuple[Section, ...]:
        return (await part(bench),)

    return run


PARTS: Mapping[str, Callable[[Bench], Awaitable[tuple[Section, ...]]]] = {
    "footprint": _alone(footprint),
    "hostile": _alone(with_hostile_models),
    "own": _alone(own_catalog),
    "new-catalogs": _alone(new_catalogs),
    "scale": _alone(catalog_scale),
    "latency": _alone(latency),
    "quality": _quality,
    "left-out": _alone(left_out),
    "bare": _alone(beside_a_framework),
}
NEEDS_DATA = frozenset({"latency", "quality", "left-out", "bare"})


async def run_parts(
    wanted: Wanted,
    environment: Mapping[str, str],
    *,
    shown: Callable[[Section], None],
    tell: Callable[[str], None],
) -> Results:
    """Measure the wanted parts, one after the other; `shown` hears of each as it is done."""
    tasks = dev_tasks(environment, tell)
    sizes = Sizes.read(environment)
    if wanted.limit is not None:
        sizes = replace(sizes, model_tasks=wanted.limit)
    with tempfile.TemporaryDirectory(prefix="planwarden-bench-") as folder:
        settings = load_settings(_overrides(Path(folder), environment))
        async with Planwarden.open(settings) as planwarden:
            bench = Bench(
                tasks=tasks,
                sizes=sizes,
                llm=(await planwarden.models()).planner,
                makes=ProductPlanners(
                    settings=settings.planner_llm,
                    clock=planwarden.clock,
                    tell=tell,
                    folder=Path(folder),
                ),
                clock=planwarden.clock,
                tell=tell,
            )
            return await _measured(bench, wanted, shown)


async def _measured(bench: Bench, wanted: Wanted, shown: Callable[[Section], None]) -> Results:
    results = _begun(bench, wanted)
    for name in wanted.parts:
        if name in NEEDS_DATA and not bench.tasks:
            bench.tell(f"{name}: left out, it needs the dev set")
            continue
        began = bench.clock.monotonic()
        sections = await PARTS[name](bench)
        took = bench.clock.monotonic() - began
        for section in sections:
            timed = section.model_copy(update={"seconds": took})
            results = _with(results, timed)
            shown(timed)
        if wanted.out is not None:
            wanted.out.write_text(results.model_dump_json(indent=1), "utf-8")
    return results


def _overrides(folder: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Take nothing that was stored on this machine; the embedded model where none is named."""
    # Asked every time, once: neither a pause after failures nor a second try may stand in the seconds.
    planner: dict[str, Any] = {"num_ctx": CONTEXT, "circuit_failures": 0, "retries": 0}
    chosen: dict[str, Any] = {"planwarden_home": folder / "home"}
    for variable, group in (
        ("PLANNER_LLM__PROVIDER", planner),
        ("LLM__PROVIDER", chosen.setdefault("llm", {})),
    ):
        if not environment.get(variable):
            group["provider"] = "embedded"
    return {**chosen, "planner_llm": planner}


def dev_tasks(environment: Mapping[str, str], tell: Callable[[str], None]) -> tuple[PlanTask, ...]:
    """Read the dev set; none, and a word about it, where it is not there."""
    folder = Path(environment.get(DATA) or DEFAULT_DATA)
    files = sorted(folder.glob("*.jsonl"))
    if files:
        return read_plan_tasks(files)
    tell(f"There is no dev set at {folder}: set {DATA} to the folder of its .jsonl files.")
    tell(f"Left out without it: {', '.join(sorted(NEEDS_DATA))}.")
    return ()


def _begun(bench: Bench, wanted: Wanted) -> Results:
    before: tuple[Section, ...] = ()
    if wanted.keep and wanted.out is not None and wanted.out.is_file():
        before = Results.model_validate_json(wanted.out.read_bytes()).sections
    identity = bench.llm.identity
    return Results(
        machine=machine(),
        model=f"{identity.model} ({identity.provider})",
        version=VERSION,
        commit=_commit(),
        measured_on=bench.clock.now().date().isoformat(),
        sizes={name: getattr(bench.sizes, name) for name in Sizes.__dataclass_fields__},
        sections=before,
    )


def _with(results: Results, section: Section) -> Results:
    others = tuple(each for each in results.sections if each.name != section.name)
    return results.model_copy(update={"sections": (*others, section)})


def machine() -> str:
    """Describe this machine: processor, cores that may be used, memory."""
    memory = machine_memory()
    parts = [_processor(), f"{processors()} of {os.cpu_count()} cores"]
    if memory is not None:
        parts.append(f"{memory.total / 2**30:.0f} GiB")
    return ", ".join(parts)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.is_file() else []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _commit() -> str:
    asked = subprocess.run(
        ("git", "describe", "--always", "--dirty"), capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "unknown"
