"""One task on any OpenAI-compatible server: vLLM, llama.cpp's, LM Studio, a cloud.

SERVER_URL=http://127.0.0.1:8080/v1 SERVER_MODEL=mine SERVER_KEY=... python examples/openai_server.py
"""

import os
import sys

import anyio

from planwarden import Planwarden, PlanwardenError, Task, load_settings


async def main() -> int:
    """Look at the server, carry out a task on it; give an exit code."""
    server = {
        "provider": "openai",
        "base_url": os.environ.get("SERVER_URL", "http://127.0.0.1:8080/v1"),
        "model": os.environ.get("SERVER_MODEL", "mine"),
        "api_key": os.environ.get("SERVER_KEY", ""),
    }
    settings = load_settings({"planner_llm": server, "llm": server})
    async with Planwarden.open(settings) as pw:
        try:
            for role, health in (await pw.health()).items():
                print(f"{role}: {health.detail}")
            result = await pw.route_task(Task(prompt="What is the latest price of IBM?"))
        except PlanwardenError as error:
            print(f"{error.code}: {error.message} What to do: {error.remedy}")
            return 1
    source = result.plan.metadata.source if result.plan else "nobody"
    print(f"planned by {source}; {result.status}: {result.answer.text if result.answer else 'no answer'}")
    return 0 if result.status == "completed" else 1


if __name__ == "__main__":
    sys.exit(anyio.run(main))
