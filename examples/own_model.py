"""An agent with a model of its own, which calls its planned tools itself: `model` and `execution: free`.

OWN_MODEL=llama3.2:3b OWN_URL=http://127.0.0.1:11434 python examples/own_model.py
"""

import os
import sys
import tempfile

import anyio

from planwarden import Planwarden, Task, load_settings

CATALOG = """
version: 1
agents:
  counting_agent:
    description: Calculates.
    tools: [utils.calculator]
    model: own
    execution: free
policies:
  counting_agent: {{rules: [{{name: sums, allow: [utils.calculator]}}]}}
models:
  own: {{provider: ollama, base_url: "{url}", model: "{model}"}}
"""
PLAN = """
{"schema_version": 2, "confidence": 1, "metadata": {"source": "edited", "handoff_strategy": "sequential"},
 "steps": [{"id": "s1", "agent": "counting_agent", "tools": ["utils.calculator"]}]}
"""


async def main() -> int:
    """Follow a plan of our own with that agent; give an exit code."""
    url = os.environ.get("OWN_URL", "http://127.0.0.1:11434")
    with tempfile.TemporaryDirectory() as folder:
        catalog = anyio.Path(folder, "planwarden.yaml")
        await catalog.write_text(CATALOG.format(url=url, model=os.environ.get("OWN_MODEL", "llama3.1:8b")))
        async with Planwarden.open(load_settings({"planwarden_config": str(catalog)})) as pw:
            task = Task(prompt="What is 6 times 7?")
            result = await pw.route_task(task, plan=await pw.accept_plan(PLAN, task))
    for agent, model in result.dossier.agent_models.items():
        print(f"{agent} works with {model.model}")
    for step in result.dossier.steps:
        print(f"{step.id} was executed {step.execution} {step.fell}".rstrip())
    for call in result.dossier.calls:
        print(f"called {call.tool} {call.arguments}: {call.status}")
    print(f"{result.status}: {result.answer.text if result.answer else 'no answer'}")
    return 0 if result.status == "completed" else 1


if __name__ == "__main__":
    sys.exit(anyio.run(main))
