"""A policy, asked directly and seen at work: first match decides, default deny, constraints on arguments.

python examples/own_policy.py
"""

import anyio

from planwarden import AgentSpec, PlannedAgentStep, Task, tool
from planwarden.policy.rules import AgentPolicy, Rule, ToolPolicy
from planwarden.testing.scripted_llm import ScriptedLLM
from planwarden.testing.stage import Stage, plan_of

POLICY = ToolPolicy(
    agents={
        "clerk": AgentPolicy(
            rules=(
                Rule(name="never-delete", says="deny", tools=("files.delete",), reason="nobody deletes"),
                Rule(
                    name="reports-only",
                    says="allow",
                    tools=("files.*",),
                    arguments={"properties": {"path": {"pattern": "^reports/"}}},
                ),
            )
        )
    }
)


@tool(name="files.save", effect="write")
def save(path: str) -> str:
    """Save a file."""
    return f"saved {path}"


async def main() -> None:
    """Ask the policy, then let a model try a path that it does not allow."""
    for agent, name, arguments in (
        ("clerk", "files.delete", {"path": "reports/a.md"}),
        ("clerk", "files.save", {"path": "reports/a.md"}),
        ("clerk", "files.save", {"path": "/etc/passwd"}),
        ("clerk", "mail.send", {}),
        ("intern", "files.save", {"path": "reports/a.md"}),
    ):
        verdict = POLICY.decide(agent, name, arguments)
        print(f"{agent} {name} {arguments}: {verdict.verdict} ({verdict.rule}: {verdict.reason})")

    clerk = AgentSpec(name="clerk", description="Files reports.", tools=("files.save",))
    said = ('{"path": "/etc/passwd"}', '{"path": "reports/a.md"}', "Saved [s1.1].")
    with ScriptedLLM(*said) as model:
        stage = Stage(agents=(clerk,), tools={"files.save": save}, policy=POLICY, agent_llm=model)
        plan = plan_of(PlannedAgentStep(id="s1", agent="clerk", tools=("files.save",)))
        state = await stage.orchestrator().route_task(Task(prompt="File the report"), plan)
    for deviation in state.deviations:
        print(f"refused before it happened: {deviation.kind}: {deviation.detail}")
    print(f"{state.status}: {state.calls[0].value}")


if __name__ == "__main__":
    anyio.run(main)
