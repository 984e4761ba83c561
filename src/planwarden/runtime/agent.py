"""An agent at work on one step: its model, its context, its tool session."""

from __future__ import annotations

from planwarden.contracts.facts import ExecutionFell, StepStarted
from planwarden.contracts.model import ModelIdentity
from planwarden.contracts.plan import PlannedAgentStep
from planwarden.contracts.specs import Execution
from planwarden.runtime.asking import AgentModels, AgentSettings, Asker
from planwarden.runtime.context import context_for
from planwarden.runtime.directed import DirectedStep
from planwarden.runtime.free.step import FreeStep
from planwarden.runtime.recorder import Recorder
from planwarden.runtime.tool_session import ToolWorld, open_session


class AgentRuntime:
    """Carries out steps, one at a time each, with the model of the step's agent."""

    def __init__(self, models: AgentModels, settings: AgentSettings, world: ToolWorld) -> None:
        self._models = models
        self._settings = settings
        self._world = world

    async def run_step(self, recorder: Recorder, step_id: str) -> None:
        """Take a step as far as it goes: answered, failed, or waiting for a person; all of it on record.

        Raises:
            LeaseLost: this process does not own the run any more.
        """
        state = recorder.state
        planned = state.steps[step_id].planned
        if state.steps[step_id].status == "pending":
            execution = self._execution(planned)
            state = await recorder.record(StepStarted(step=step_id, agent=planned.agent, execution=execution))
        session = open_session(self._world, recorder, step_id)
        context = context_for(state, self._world.catalog, step_id)
        llm = self._models.of(planned.agent)
        settings = self._models.settings.get(planned.agent, self._settings)
        asker = Asker(llm=llm, settings=settings, recorder=recorder, step=step_id)
        if state.steps[step_id].is_free:
            if llm.identity.calls_tools:
                free = FreeStep(world=self._world, asker=asker, session=session, context=context)
                await free.carry_out()
            else:
                await recorder.record(_cannot_call_tools(step_id, llm.identity))
        step = recorder.state.steps[step_id]
        if step.status == "running" and not step.is_free:
            await DirectedStep(world=self._world, asker=asker, session=session, context=context).carry_out()

    def _execution(self, planned: PlannedAgentStep) -> Execution:
        """Say how a step begins; without tools there is nothing to be free about."""
        spec = self._world.catalog.agents.get(planned.agent)
        wanted = (spec.execution if spec else None) or self._settings.execution
        return wanted if planned.tools else "directed"


def _cannot_call_tools(step_id: str, identity: ModelIdentity) -> ExecutionFell:
    message = f"{identity.model} ({identity.provider}) is not known to call tools"
    return ExecutionFell(step=step_id, reason="tool_calling_unsupported", message=message)
