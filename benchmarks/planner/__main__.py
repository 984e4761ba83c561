"""Run the benchmark of the planner: `make bench-planner`, or `python -m benchmarks.planner --help`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.planner.layout import figure_lines, section_lines
from benchmarks.planner.results import Results, Section
from benchmarks.planner.run import PARTS, Wanted, run_parts


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is wanted; figures go to stdout, progress to stderr, everything to `--out`."""
    wanted = _wanted(arguments)
    results = asyncio.run(run_parts(wanted, os.environ, shown=_show, tell=_tell))
    figures = [figure for section in results.sections for figure in section.figures]
    if figures:
        print("== all figures ".ljust(100, "="))
        print("\n".join(figure_lines(figures)))
    return 1 if _has_invalid_plans(results) else 0


def _has_invalid_plans(results: Results) -> bool:
    """Say whether a plan was invalid: the one figure that is a promise, not an aim."""
    hostile = results.section("hostile models")
    return hostile is not None and any(figure.reached is False for figure in hostile.figures)


def _wanted(arguments: Sequence[str] | None) -> Wanted:
    parser = argparse.ArgumentParser(prog="benchmarks.planner", description=__doc__)
    names = ", ".join(PARTS)
    parser.add_argument("--only", default="", help=f"these parts, with commas between them: {names}")
    parser.add_argument("--out", type=Path, help="write the results here, as JSON, after each part")
    parser.add_argument("--add", action="store_true", help="keep the other parts of the file at --out")
    parser.add_argument("--limit", type=int, help="plan at most so many tasks with a model")
    given = parser.parse_args(arguments)
    only = tuple(name.strip() for name in given.only.split(",") if name.strip())
    unknown = [name for name in only if name not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}; there are {names}")
    return Wanted(parts=only or tuple(PARTS), out=given.out, keep=given.add, limit=given.limit)


def _show(section: Section) -> None:
    print("\n".join(section_lines(section)), flush=True)


def _tell(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
