"""Shadow planning as a Planwarden has it: other planners opened, runs offered, real work let first."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from planwarden.configuration.settings import Settings
from planwarden.contracts.clock import Clock
from planwarden.contracts.memory import RememberedPlan
from planwarden.contracts.run import RunState
from planwarden.errors import ConfigurationError
from planwarden.journal.port import Journal

# What plans brings in the assembly, which is slow to import; a Planwarden that shadows nothing does without.
if TYPE_CHECKING:
    from planwarden.app.models import ModelShelf
    from planwarden.app.shadowing.again import PlansAgain
    from planwarden.app.shadowing.other_planner import OtherPlanner
    from planwarden.app.shadowing.said import Place
    from planwarden.app.shadowing.shadowing import Shadowing
    from planwarden.configuration.catalog_file import AssembledCatalog
    from planwarden.configuration.planner_config import PlannerConfig


@dataclass(slots=True, kw_only=True)
class ShadowDesk:
    """Opens planners beside the configured one, and sends them what `SHADOW__*` says."""

    settings: Settings
    clock: Clock
    journal: Callable[[], Awaitable[Journal]]
    world: Callable[[Sequence[str]], Awaitable[AssembledCatalog]]
    shelf: Callable[[], ModelShelf]
    recall: Callable[[str, str | None], Awaitable[Sequence[RememberedPlan]]]
    _begun: Shadowing | None = None

    def other_planner(self, config: PlannerConfig) -> AbstractAsyncContextManager[OtherPlanner]:
        """Open a planner for as long as the context lasts; see `open_planner`."""
        from planwarden.app.shadowing.other_planner import open_planner  # noqa: PLC0415 - heavy; see above

        return open_planner(self.settings, self.shelf(), config)

    def plans_again(self, config: PlannerConfig) -> PlansAgain:
        """Give what plans the tasks of runs again with another planner."""
        from planwarden.app.shadowing.again import PlansAgain  # noqa: PLC0415 - heavy; see above

        return PlansAgain(
            config=config,
            opening=self.other_planner,
            journal=self.journal,
            place=self.place,
            recall=self.recall,
            clock=self.clock,
        )

    async def place(self, data: Sequence[str]) -> Place:
        """Give catalog and policy over some data paths, without the tools.

        Raises:
            CatalogRejected, DataRejected: see `Planwarden.world`.
        """
        from planwarden.app.shadowing.said import Place  # noqa: PLC0415 - heavy; see above

        world = await self.world(data)
        return Place(catalog=world.catalog, policy=world.policy)

    def real_work(self) -> AbstractContextManager[None]:
        """Hold back shadow planning in this process for as long as the context lasts."""
        live = self._live()
        return nullcontext() if live is None else live.real_work()

    @property
    def trouble(self) -> ConfigurationError | None:
        """Give why no run is shadowed although some should be; None while all is well, or none should."""
        return None if self._begun is None else self._begun.trouble

    async def offer(self, state: RunState) -> None:
        """Send a run that is over to the shadow planner, if it is one of the share."""
        live = self._live()
        if live is not None and state.ended is not None:
            await live.offer(state.run_id)

    async def drained(self) -> None:
        """Wait until no shadow plan is being made."""
        if self._begun is not None:
            await self._begun.drained()

    async def aclose(self) -> None:
        """Stop at once; nothing is waited for."""
        if self._begun is not None:
            await self._begun.aclose()

    def _live(self) -> Shadowing | None:
        shadow = self.settings.shadow
        if self._begun is None and shadow.rate > 0:
            from planwarden.app.shadowing.shadowing import begin_shadowing  # noqa: PLC0415 - heavy; see above
            from planwarden.configuration.planner_config import planner_config  # noqa: PLC0415 - likewise

            def work() -> PlansAgain:
                return self.plans_again(planner_config(shadow.planner, self.settings.planner_llm, os.environ))

            self._begun = begin_shadowing(shadow.rate, self.settings.shadow_path, work)
        return self._begun
