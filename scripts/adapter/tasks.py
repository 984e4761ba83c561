"""Makes plan tasks of the sources that the sentence encoder was tuned on, for the adapter to learn from too.

python scripts/adapter/tasks.py METATOOL STABLETOOLBENCH CALLNAVI build/adapter

The three are checkouts of the public repositories named in `scripts/encoder/README.md`. None is a source of the
planner's benchmark, nor are the worlds in `scripts/encoder/`.
"""

from __future__ import annotations

import csv
import json
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from planwarden.evaluation.worlds import World

WORLDS = Path(__file__).parent.parent / "encoder"
STRANGERS = 20
"""Other tools of MetaTool beside each request; the other sources say themselves what was at hand."""
PER_TOOL = 3
"""Requests of MetaTool for one tool."""
MOST_STEPS = 4
"""Of a query of StableToolBench."""
SEED = 5

Row = dict[str, Any]


def row(at: str, source: str, request: str, tools: Sequence[Row], steps: Sequence[str]) -> Row:
    """Make a task; of all these sources only the worlds say which step uses which, so there are no links."""
    gold = {"steps": [{"tool": name} for name in steps], "edges": [], "kind": "parallel"}
    return {"id": at, "source": source, "request": request, "tools": list(tools), "gold": gold}


def tool(name: str, description: str | None, parameters: Sequence[Mapping[str, Any]] = ()) -> Row:
    """Make a tool."""
    named = {
        each["name"]: {"type": "string", "description": (each.get("description") or "")[:120]}
        for each in parameters
    }
    return {
        "name": name,
        "description": (description or "")[:300],
        "parameters": {"type": "object", "properties": named},
    }


def worlds() -> Iterator[Row]:
    """Give the tasks of the worlds that the ranker does not learn from, with their links."""
    for path in sorted(WORLDS.glob("*/*.json")):
        world = World.model_validate_json(path.read_bytes())
        tools = [tool.model_dump(include={"name", "description", "parameters"}) for tool in world.tools]
        for at, task in enumerate(world.tasks):
            if task.steps:
                made = row(f"w3-{world.name}-{at}", "w3", task.request, tools, task.steps)
                made["gold"] |= {"edges": [list(edge) for edge in task.edges], "kind": "dag"}
                yield made


def callnavi(root: Path) -> Iterator[Row]:
    """Give the questions of CallNavi that take one call: which of several use which is not said."""
    for path in sorted((root / "Dataset/Questions").glob("*.json")):
        stored = json.loads((root / "Dataset/APIs" / path.name).read_text("utf-8"))
        apis = stored["api_ports"] if isinstance(stored, dict) else stored
        tools = [tool(api["name"], api.get("description")) for api in apis]
        names = {each["name"] for each in tools}
        for at, asked in enumerate(json.loads(path.read_text("utf-8"))):
            said = asked["question"]
            while isinstance(said, list) and said:
                said = said[0]
            called = asked["ground_truth"]["API"]
            one = called[0] if isinstance(called, list) and len(called) == 1 else called
            if isinstance(said, dict) and isinstance(one, str) and one in names:
                yield row(f"cn-{path.stem}-{at}", "callnavi", said["content"], tools, [one])


def stabletoolbench(root: Path) -> Iterator[Row]:
    """Give the solvable queries of StableToolBench that take a few APIs."""

    def name(tool_name: str, api: str) -> str:
        return f"{tool_name}_{api}".replace(" ", "_").replace("/", "_")[:60]

    for path in sorted((root / "solvable_queries/test_instruction").glob("*.json")):
        for at, asked in enumerate(json.loads(path.read_text("utf-8"))):
            tools = {
                (key := name(api["tool_name"], api["api_name"])): tool(
                    key,
                    api.get("api_description"),
                    [*(api.get("required_parameters") or []), *(api.get("optional_parameters") or [])],
                )
                for api in asked["api_list"]
            }
            right = [key for key in dict.fromkeys(name(*each) for each in asked["relevant APIs"]) if key in tools]
            if 1 <= len(right) <= MOST_STEPS and len(tools) > len(right):
                yield row(f"stb-{path.stem}-{at}", "stabletoolbench", asked["query"], [*tools.values()], right)


def metatool(root: Path, rng: random.Random) -> Iterator[Row]:
    """Give the requests of MetaTool for two tools, and some of those for one."""
    described = {
        **json.loads((root / "dataset/plugin_des.json").read_text("utf-8")),
        **json.loads((root / "dataset/big_tool_des.json").read_text("utf-8")),
    }
    by_tool: dict[str, list[str]] = {}
    with (root / "dataset/data/all_clean_data.csv").open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            by_tool.setdefault(line["Tool"], []).append(line["Query"])
    known = sorted(name for name in by_tool if name in described)

    def beside(right: Sequence[str]) -> list[Row]:
        names = [*{*right, *rng.sample(known, STRANGERS)}]
        names.sort()
        rng.shuffle(names)
        return [tool(name, described[name]) for name in names]

    for at, asked in enumerate(json.loads((root / "dataset/data/multi_tool_query_golden.json").read_text("utf-8"))):
        if set(asked["tool"]) <= described.keys():
            yield row(f"mt2-{at}", "metatool", asked["query"], beside(asked["tool"]), asked["tool"])
    for name in known:
        for at, request in enumerate(rng.sample(by_tool[name], min(PER_TOOL, len(by_tool[name])))):
            yield row(f"mt1-{name}-{at}", "metatool", request, beside([name]), [name])


def main(roots: Sequence[Path], out: Path) -> None:
    """Write one file for each source."""
    out.mkdir(parents=True, exist_ok=True)
    made = {
        "worlds": worlds(),
        "callnavi": callnavi(roots[2]),
        "stabletoolbench": stabletoolbench(roots[1]),
        "metatool": metatool(roots[0], random.Random(SEED)),
    }
    for name, rows in made.items():
        lines = [json.dumps(each, ensure_ascii=False) + "\n" for each in rows]
        (out / f"{name}.jsonl").write_text("".join(lines), "utf-8")
        print(f"{out / name}.jsonl: {len(lines)} tasks")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main([Path(each) for each in sys.argv[1:4]], Path(sys.argv[4]))
