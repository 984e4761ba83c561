"""A tool with examples that can be run: they teach the planner, and try the tool itself.

python examples/tried_tool.py
"""

import sys

import anyio

from planwarden import Planwarden, ToolExample, load_settings, tool


@tool(
    name="shop.total",
    effect="read",
    examples=[
        ToolExample(
            request="What do 3 at 2.50 cost?",
            arguments={"pieces": 3, "price": 2.5},
            returns={"total": 7.5},
        ),
        ToolExample(request="And 40 of them?", arguments={"pieces": 40, "price": 2.5}, returns={"total": 95}),
    ],
)
def total(pieces: int, price: float) -> dict[str, float]:
    """Calculate what pieces cost; from 40 on, 5 % less."""
    return {"total": pieces * price * (0.95 if pieces >= 40 else 1)}


async def main() -> int:
    """Try the tool by its examples; give an exit code."""
    async with Planwarden.open(load_settings(), tools=[total]) as pw:
        trials = await pw.try_tools(["shop.total"])
    for trial in trials:
        print(f"{trial.outcome}: {trial.request} {trial.arguments} {', '.join(trial.problems)}")
    return 0 if all(trial.outcome == "ok" for trial in trials) else 1


if __name__ == "__main__":
    sys.exit(anyio.run(main))
