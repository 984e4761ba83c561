"""Two turns of one conversation: the second leans on the first.

python examples/conversation.py
"""

import sys

import anyio

from planwarden import Planwarden, Task


async def main() -> int:
    """Ask twice in one conversation; give an exit code."""
    outcomes: list[str] = []
    async with Planwarden.open() as pw:
        for prompt in ("What is the latest price of IBM?", "And for MSFT?"):
            result = await pw.route_task(Task(prompt=prompt, conversation="prices"))
            outcomes.append(result.status)
            print(f"you: {prompt}")
            print(f"planwarden: {result.answer.text if result.answer else result.status}")
            for call in result.dossier.calls:
                print(f"  called {call.tool} {call.arguments}")
    return 0 if set(outcomes) == {"completed"} else 1


if __name__ == "__main__":
    sys.exit(anyio.run(main))
