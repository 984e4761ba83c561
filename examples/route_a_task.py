"""Carries out one task and says what was planned, called and answered.

python examples/route_a_task.py "What is the latest price of IBM?"
"""

import sys

import anyio

from planwarden import Planwarden, PlanwardenError, Task


async def main(prompt: str) -> int:
    """Run the task; give an exit code."""
    async with Planwarden.open() as pw:
        try:
            result = await pw.route_task(Task(prompt=prompt))
        except PlanwardenError as error:
            print(f"{error.code}: {error.message} What to do: {error.remedy}")
            return 1
    for step in result.plan.steps if result.plan else ():
        print(f"planned {step.id}: {step.agent} with {', '.join(step.tools) or 'no tools'}")
    for call in result.dossier.calls:
        verdict = call.verdict.verdict if call.verdict else call.refusal
        print(f"called {call.id} {call.tool} {call.arguments}: {verdict}, {call.status}")
    for deviation in result.dossier.deviations:
        print(f"deviated: {deviation.kind} {deviation.detail}")
    print(f"{result.status}: {result.answer.text if result.answer else 'no answer'}")
    print(f"dossier: {result.dossier_path}")
    return 0 if result.status == "completed" else 1


if __name__ == "__main__":
    sys.exit(anyio.run(main, " ".join(sys.argv[1:]) or "What is the latest price of IBM?"))
