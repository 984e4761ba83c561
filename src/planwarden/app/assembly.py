"""Building the parts of a run from settings, models and catalog: tools, planner, orchestrator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from planwarden.app.models import Models, absent_models, agent_settings
from planwarden.app.system import VERSION
from planwarden.app.traces import traced_runner
from planwarden.audit.log import PlannedWith, log_refusals
from planwarden.catalog.catalog import Catalog
from planwarden.configuration.catalog_file import (
    FILE_NAME,
    AssembledCatalog,
    LoadedCatalog,
    assemble,
    load_catalog_file,
)
from planwarden.configuration.packages import ToolPackage, installed_packages, load_packages, named
from planwarden.configuration.python_tools import load_python_tools
from planwarden.configuration.settings import AgentModel, PlannerModel, Settings, ToolServers
from planwarden.configuration.yaml_lines import KeyPath
from planwarden.contracts.clock import Clock, Ids
from planwarden.contracts.facts import RunStarted
from planwarden.contracts.plan import PlannerPlan, Refusal
from planwarden.errors import PlanDenied, PlanRejected
from planwarden.journal.port import Journal, Owner
from planwarden.journal.snapshot import Snapshot
from planwarden.llm.service import LLMService
from planwarden.orchestration.executor import Executor
from planwarden.orchestration.orchestrator import Orchestrator
from planwarden.planning.attempt import CONVERSATION_SHARE, PlannerSettings
from planwarden.planning.memory.in_process import InProcessMemory
from planwarden.planning.memory.port import PlanMemory
from planwarden.planning.memory.vectors import EmbeddedMemory, SqliteVectors
from planwarden.planning.planner import Calibrated, LLMOrchestrationPlanner, unmeasured
from planwarden.planning.prior import PriorSource
from planwarden.planning.ranking.encoder import FORM
from planwarden.planning.ranking.kept import KeptEmbeddings
from planwarden.planning.ranking.learned_prior import LearnedPrior
from planwarden.planning.traced import TracedPlanner
from planwarden.planning.validate import PlanLimits, canonical_plan, plan_issues, read_plan
from planwarden.policy.rules import ToolPolicy
from planwarden.runtime.agent import AgentRuntime
from planwarden.runtime.tool_session import ToolWorld
from planwarden.runtime.traced import TracedSteps
from planwarden.telemetry.tracing import Tracing
from planwarden.tools.builtin import Servers, open_builtins
from planwarden.tools.data_sources import open_sources
from planwarden.tools.network.asking import Server
from planwarden.tools.network.quote_answer import QuoteFields
from planwarden.tools.tool import Tool

WORKED_EXAMPLES = 3
"""Shown to a planner model that was not trained for our notation."""


def assemble_world(
    settings: Settings, data: tuple[str, ...], own_tools: Mapping[str, Tool]
) -> AssembledCatalog:
    """Read the catalog file and make its tools over some data paths. Blocks.

    Raises:
        CatalogRejected: the catalog file has a mistake.
        DataRejected: a path is missing or of no known format.
    """
    loaded = _catalog_file(settings)
    sources = open_sources(data, folder=Path.cwd())
    state_dir = settings.planwarden_home / "tools"
    builtins = open_builtins(sources, settings.workspace, state_dir, tool_servers(settings.tools))
    ours = dict.fromkeys([*(tool.spec.name for tool in builtins.tools), *builtins.unavailable], "planwarden")
    python = load_python_tools(loaded)
    provided = ours | {name: str(loaded.file.tools[name].python) for name in python}
    provided |= dict.fromkeys(own_tools, "the program")
    packaged = load_packages(loaded, provided)
    own = python | {name: each.tool for name, each in packaged.items()} | dict(own_tools)
    places: dict[str, KeyPath] = {name: ("packages", each.position) for name, each in packaged.items()}
    world = assemble(loaded, builtins.tools, own, builtins.unavailable, places)
    provided |= {name: each.provided_by for name, each in packaged.items()}
    return replace(world, provided_by={name: provided[name] for name in world.tools})


def tool_packages(settings: Settings) -> tuple[tuple[ToolPackage, bool], ...]:
    """Give the installed tool packages, each with whether the catalog file names it; imports none. Blocks.

    Raises:
        CatalogRejected: the catalog file cannot be read.
    """
    loaded = _catalog_file(settings)
    return tuple((package, named(loaded, package)) for package in installed_packages())


def _catalog_file(settings: Settings) -> LoadedCatalog:
    here = Path(FILE_NAME)
    return load_catalog_file(settings.planwarden_config or (here if here.is_file() else None))


def tool_servers(chosen: ToolServers) -> Servers:
    """Give the servers that tools may ask."""

    def server(setting: str, address: str | None) -> Server | None:
        if address is None:
            return None
        agent = f"planwarden/{VERSION}"
        return Server(setting=setting, address=address, timeout_s=chosen.timeout_s, user_agent=agent)

    return Servers(
        web_search=server("TOOLS__WEB_SEARCH_URL", chosen.web_search_url),
        quotes=server("TOOLS__QUOTES_URL", chosen.quotes_url),
        quote_fields=QuoteFields(
            price=chosen.quotes_price, time=chosen.quotes_time, currency=chosen.quotes_currency
        ),
    )


def only_to_end(started: RunStarted) -> tuple[AssembledCatalog, Models]:
    """Give what a run needs that is only ended: a world in which nothing can be called, models not opened."""
    catalog = Catalog(agents={}, tools={})
    world = AssembledCatalog(catalog=catalog, policy=ToolPolicy(), tools={}, left_out={})
    return world, absent_models(started)


def snapshots_of(world: AssembledCatalog) -> tuple[Snapshot, Snapshot]:
    """Give catalog and policy as the record keeps them, under the digests that a run names."""
    catalog, policy = world.catalog, world.policy
    return (
        Snapshot(digest=catalog.digest, kind="catalog", body=catalog.body),
        Snapshot(digest=policy.digest, kind="policy", body=policy.body),
    )


def make_planner(
    chosen: PlannerModel,
    llm: LLMService,
    calibrated: Calibrated = unmeasured,
    source: PriorSource | None = None,
) -> LLMOrchestrationPlanner:
    """Make the planner that is configured around a model.

    Args:
        chosen: how it is configured.
        llm: the model.
        calibrated: what a model's word is worth; see `calibrations_in_force`.
        source: where priors come from; the learned ranker where none is given.
    """
    gives_reasons = llm.identity.provider != "embedded" and llm.identity.adapter is None
    settings = PlannerSettings(
        max_agents=chosen.max_agents,
        shortlist=chosen.shortlist,
        mode=chosen.mode,
        ask=chosen.ask,
        with_reason=gives_reasons if chosen.reasons == "auto" else chosen.reasons == "model",
        prompt_budget=chosen.prompt_budget,
        groundable_only=llm.identity.argument_style == "grounded",
        examples=_examples(chosen, llm),
        # Trained on requests by themselves, it takes what was said before for what is asked now.
        conversation_share=0.0 if llm.identity.adapter else CONVERSATION_SHARE,
        temperature=chosen.temperature,
        seed=chosen.seed,
        max_output_tokens=chosen.max_output_tokens,
        reuse_prompt=chosen.reuse_prompt,
        timeout_s=chosen.timeout_s,
        num_ctx=chosen.num_ctx,
        min_confidence=chosen.min_confidence,
        on_low_confidence=chosen.on_low_confidence,
        reuse_plans=chosen.reuse_plans,
    )
    return LLMOrchestrationPlanner(llm, settings, source or LearnedPrior(), calibrated)


def _examples(chosen: PlannerModel, llm: LLMService) -> int:
    if chosen.examples != "auto":
        return chosen.examples
    return 0 if llm.identity.adapter else WORKED_EXAMPLES


def make_prior(settings: Settings) -> LearnedPrior:
    """Make what ranks the tools before the model is asked."""
    return LearnedPrior(weights=settings.ranker_in_force, kept=KeptEmbeddings(settings.index_folder))


def make_memory(settings: Settings, memory: PlanMemory, prior: LearnedPrior) -> PlanMemory:
    """Make what planning recalls: nothing where it is off, else with the embeddings that are kept of it."""
    if settings.planwarden_memory == "off":
        return InProcessMemory()
    return EmbeddedMemory(memory, SqliteVectors(settings.memory_path, FORM), prior.encoder)


def make_orchestrator(  # noqa: PLR0913 - everything a run is made of
    *,
    journal: Journal,
    owner: Owner,
    clock: Clock,
    ids: Ids,
    models: Models,
    planner: LLMOrchestrationPlanner,
    world: AssembledCatalog,
    memory: PlanMemory,
    chosen: AgentModel,
    tracing: Tracing,
) -> Orchestrator:
    """Join journal, models, planner and tools, in spans where traces are on."""
    tool_world = ToolWorld(
        catalog=world.catalog,
        policy=world.policy,
        tools=world.tools,
        clock=clock,
        run=traced_runner(tracing),
    )
    runtime = AgentRuntime(models.agents, agent_settings(chosen), tool_world)
    return Orchestrator(
        journal=journal,
        executor=Executor(
            planner=TracedPlanner(planner, tracing.tracer),
            runtime=TracedSteps(runtime, tracing.tracer),
            world=tool_world,
            memory=memory,
        ),
        owner=owner,
        ids=ids,
        planner=models.planner.identity,
        agents=models.agents.default.identity,
        agent_models={agent: llm.identity for agent, llm in models.agents.own.items()},
        version=VERSION,
        tracer=tracing.tracer,
    )


def accept_plan(text: str | bytes, world: AssembledCatalog, chosen: PlannerModel) -> PlannerPlan:
    """Validate a plan that somebody brings along, against catalog and policy as they are now.

    Raises:
        PlanRejected: not a plan, or it names what is not there.
        PlanDenied: policy does not allow it.
    """
    read = read_plan(text)
    remedy = "docs/reference/plan.md describes the contract; `planwarden plan TASK --json` writes one."
    if not isinstance(read, PlannerPlan):
        _log_refused((read,), world)
        raise PlanRejected(
            f"The plan is refused ({read.rung}: {read.reason}): {read.message}.", remedy=remedy
        )
    plan = canonical_plan(read, world.catalog)
    issues = plan_issues(plan, world.catalog, world.policy, PlanLimits(max_agents=chosen.max_agents))
    _log_refused(issues, world)
    for issue in issues:
        message = f"The plan is refused at {issue.field} ({issue.reason}): {issue.message}."
        if issue.reason in ("tool_denied_by_policy", "answer_without_tools_denied"):
            raise PlanDenied(message, remedy="Change the plan, or the policy in the catalog file.")
        raise PlanRejected(message, remedy=remedy)
    edited = {
        "source": "edited",
        "catalog_digest": world.catalog.digest,
        "policy_digest": world.policy.digest,
    }
    return plan.model_copy(update={"metadata": plan.metadata.model_copy(update=edited)})


def _log_refused(refusals: Sequence[Refusal], world: AssembledCatalog) -> None:
    made = PlannedWith(
        catalog_digest=world.catalog.digest, policy_digest=world.policy.digest, planner_model=None
    )
    log_refusals(refusals, made, source="edited")
