"""Gathers what the sentence encoder is tuned on: requests, the texts of tools that do them, and of tools that do not.

python scripts/encoder/pairs.py METATOOL STABLETOOLBENCH CALLNAVI build/pairs.json

The three are checkouts of the public repositories that the README beside this names. None of them is among the
sources of the planner's benchmark; nor are the worlds in `worlds/`, which nothing but the encoder learns from.
"""

from __future__ import annotations

import csv
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from planwarden.evaluation.worlds import World
from planwarden.planning.ranking.words import clauses, name_words

WORLDS = Path(__file__).parent / "worlds"
PER_TOOL = 30
"""Requests of MetaTool for one tool; it has up to a thousand."""
STRANGERS = 12
"""Other tools of MetaTool beside each request; the other sources say themselves what was at hand."""
WORLDS_COUNT = 2
"""How often a task of the worlds is seen for one of the others."""
SEED = 1


class Pair(TypedDict):
    """One request."""

    source: str
    request: str
    parts: list[str]
    """Its clauses, where it asks for several tools; else itself."""
    right: list[str]
    wrong: list[str]


def tool_text(name: str, description: str) -> str:
    """Give the text of a tool, as `tool_index.embedded_text` gives it."""
    return f"{' '.join(name_words(name))}: {description[:400]}"


def pair(source: str, request: str, tools: Mapping[Any, str], right: Sequence[Any]) -> Pair:
    """Make a pair of a request over some tools, by key, and those of them that do it."""
    keys = list(dict.fromkeys(right))
    return Pair(
        source=source,
        request=request,
        parts=list(clauses(request)) if len(keys) > 1 else [request],
        right=[tools[key] for key in keys],
        wrong=[text for key, text in tools.items() if key not in keys],
    )


def metatool(root: Path, rng: random.Random) -> Iterator[Pair]:
    """Give the requests of MetaTool."""
    described = {
        **json.loads((root / "dataset/plugin_des.json").read_text("utf-8")),
        **json.loads((root / "dataset/big_tool_des.json").read_text("utf-8")),
    }
    texts = {name: tool_text(name, description) for name, description in described.items()}
    by_tool: dict[str, list[str]] = {}
    with (root / "dataset/data/all_clean_data.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            by_tool.setdefault(row["Tool"], []).append(row["Query"])

    def beside(right: Sequence[str]) -> Pair:
        names = [*right, *(name for name in rng.sample(list(by_tool), STRANGERS) if name not in right)]
        return pair("metatool", request, {name: texts[name] for name in names}, right)

    for name, requests in by_tool.items():
        rng.shuffle(requests)
        for request in requests[:PER_TOOL]:
            yield beside([name])
    for row in json.loads((root / "dataset/data/multi_tool_query_golden.json").read_text("utf-8")):
        request = row["query"]
        if texts.keys() >= set(row["tool"]):
            yield beside(row["tool"])


def stabletoolbench(root: Path) -> Iterator[Pair]:
    """Give the solvable queries of StableToolBench."""
    for path in sorted((root / "solvable_queries/test_instruction").glob("*.json")):
        for row in json.loads(path.read_text("utf-8")):
            tools = {
                (api["tool_name"], api["api_name"]): tool_text(
                    f"{api['tool_name']} {api['api_name']}", api.get("api_description") or ""
                )
                for api in row["api_list"]
            }
            right = [key for key in map(tuple, row["relevant APIs"]) if key in tools]
            if right:
                yield pair("stabletoolbench", row["query"], tools, right)


def callnavi(root: Path) -> Iterator[Pair]:
    """Give the questions of CallNavi; those whose calls are nested further are left out."""
    for path in sorted((root / "Dataset/Questions").glob("*.json")):
        stored = json.loads((root / "Dataset/APIs" / path.name).read_text("utf-8"))
        apis = stored["api_ports"] if isinstance(stored, dict) else stored
        tools = {api["name"]: tool_text(api["name"], api.get("description") or "") for api in apis}
        for row in json.loads(path.read_text("utf-8")):
            said = row["question"]
            while isinstance(said, list) and said:
                said = said[0]
            called = row["ground_truth"]["API"]
            flat = [called] if isinstance(called, str) else called
            right = [name for name in flat if isinstance(name, str) and name in tools]
            if right and isinstance(said, dict):
                yield pair("callnavi", said["content"], tools, right)


def worlds() -> Iterator[Pair]:
    """Give the tasks of the worlds that only the encoder learns from."""
    for path in sorted(WORLDS.glob("*.json")):
        world = World.model_validate_json(path.read_bytes())
        tools = {tool.name: tool_text(tool.name, tool.description) for tool in world.tools}
        for task in world.tasks:
            if task.steps:
                yield from [pair("worlds", task.request, tools, task.steps)] * WORLDS_COUNT


def main(roots: Sequence[Path], out: Path) -> None:
    """Write the file."""
    rng = random.Random(SEED)
    pairs = [*metatool(roots[0], rng), *stabletoolbench(roots[1]), *callnavi(roots[2]), *worlds()]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(pairs, ensure_ascii=False), "utf-8")
    print(f"{out}: {dict(Counter(each['source'] for each in pairs))}")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main([Path(each) for each in sys.argv[1:4]], Path(sys.argv[4]))
