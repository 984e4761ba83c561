"""A tool of one's own, an agent that has it, and a policy that lets it.

python examples/own_tool.py
"""

import sys
import tempfile
from typing import Annotated

import anyio
from pydantic import BaseModel, Field

from planwarden import Planwarden, Task, load_settings, tool

SHELVES = {"bolts": 40, "nuts": 12, "washers": 300}

CATALOG = """
version: 1
agents:
  stock_agent:
    description: Knows what is in stock.
    tools: [stock.count]
policies:
  stock_agent:
    rules: [{name: counting, allow: [stock.count], reason: counting changes nothing}]
"""


class Stock(BaseModel):
    """What the tool gives; `text` is what people read."""

    text: str
    item: str
    pieces: int


@tool(
    name="stock.count",
    effect="read",
    examples=["How many bolts are in stock?", "Do we have enough nuts?"],
    choices={"item": tuple(SHELVES)},
)
def count(item: Annotated[str, Field(description="What is counted")]) -> Stock:
    """Count the pieces of one item in stock."""
    return Stock(text=f"There are {SHELVES[item]} {item} in stock.", item=item, pieces=SHELVES[item])


async def main() -> int:
    """Ask for the stock; give an exit code."""
    with tempfile.TemporaryDirectory() as folder:
        catalog = anyio.Path(folder, "planwarden.yaml")
        await catalog.write_text(CATALOG, "utf-8")
        settings = load_settings({"planwarden_config": str(catalog)})
        async with Planwarden.open(settings, tools=[count]) as pw:
            result = await pw.route_task(Task(prompt="How many washers do we have in stock?"))
    print(f"{result.status}: {result.answer.text if result.answer else 'no answer'}")
    return 0 if result.status == "completed" else 1


if __name__ == "__main__":
    sys.exit(anyio.run(main))
