"""An agent at work on one step: its model, its context, its tool session."""

from __future__ import annotations

from planwarden.contracts.facts import StepStarted
from planwarden.runtime.asking import AgentModels, AgentSettings, Asker
from planwarden.runtime.context import context_for
from planwarden.runtime.directed import DirectedStep
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
        agent = state.steps[step_id].planned.agent
        if state.steps[step_id].status == "pending":
            state = await recorder.record(StepStarted(step=step_id, agent=agent))
        session = open_session(self._world, recorder, step_id)
        context = context_for(state, self._world.catalog, step_id)
        settings = self._models.settings.get(agent, self._settings)
        asker = Asker(llm=self._models.of(agent), settings=settings, recorder=recorder, step=step_id)
        await DirectedStep(world=self._world, asker=asker, session=session, context=context).carry_out()
