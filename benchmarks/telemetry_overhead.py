"""What telemetry costs: the same runs of no latency with it off, and with traces, logs and metrics on.

Each run plans, and carries out its steps with a model and tools that answer at once, on a real SQLite
journal. With telemetry on, spans go to a receiver in another process through the spool and the batch
exporter, the log is written as JSON, and the metrics are scraped once per block by that other process. Blocks
of both kinds alternate, so that a machine that is busy for a while is so for both; neighbours are compared.

PLANWARDEN_BENCH_BLOCKS sets how many pairs of blocks (40). Ends with 1 when telemetry adds more than 5 %.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from planwarden import Planwarden, load_settings
from planwarden.app.assembly import make_orchestrator, make_planner
from planwarden.app.models import Models
from planwarden.app.system import SystemClock, SystemIds
from planwarden.app.traces import traced_model
from planwarden.audit.exposition import prometheus_text
from planwarden.catalog.catalog import build_catalog
from planwarden.configuration.catalog_file import AssembledCatalog
from planwarden.configuration.settings import AgentModel, PlannerModel
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Task
from planwarden.journal.owner import is_dead, this_process
from planwarden.journal.sqlite import SqliteJournal
from planwarden.llm.service import LLMRequest
from planwarden.orchestration.orchestrator import Orchestrator
from planwarden.planning.memory.in_process import InProcessMemory
from planwarden.planning.retrieval_prior import RetrievalPrior
from planwarden.runtime.asking import AgentModels
from planwarden.telemetry.logs import LOGGER, write_log
from planwarden.telemetry.tracing import Tracing, TracingSettings, open_tracing
from planwarden.testing.canned_tool import ONE_TEXT, CannedTool
from planwarden.testing.scripted_llm import FunctionLLM
from planwarden.testing.stage import allow_everything

RUNS = 30
"""In a block; more spans than the exporter sends at a time, so that it sends while runs go on."""
MOST = 0.05
STEPS = ("look", "read", "count", "write")
SPANS = 3 + 4 * len(STEPS)
"""Of a run: run, plan and its question; for each step itself, two questions, one call."""
TASK = Task(prompt="Look, read, count and write.")


class Receiver(BaseHTTPRequestHandler):
    """Takes spans as a Collector does, and says on GET how many came."""

    protocol_version = "HTTP/1.1"
    spans = 0

    def do_POST(self) -> None:
        """Take a batch."""
        request = ExportTraceServiceRequest()
        request.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
        for of_resource in request.resource_spans:
            Receiver.spans += sum(len(of_scope.spans) for of_scope in of_resource.scope_spans)
        self._answer(b"")

    def do_GET(self) -> None:
        """Say how many spans came; or give the metrics of the home in the query."""
        home = self.path.partition("?")[2]
        self._answer((asyncio.run(_scraped(Path(home))) if home else str(Receiver.spans)).encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


async def _scraped(home: Path) -> str:
    async with Planwarden.open(load_settings({"planwarden_home": home})) as planwarden:
        return prometheus_text(await planwarden.record.metrics())


def receive() -> None:
    """Be the receiver; its port is the first line of stdout."""
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    print(server.server_port, flush=True)
    server.serve_forever()


def mind(request: LLMRequest) -> str:
    """Plan, fill in and answer at once."""
    schema = json.dumps(request.output_schema or {})
    if '"plan"' in schema:
        return json.dumps({"plan": list(STEPS), "why": "as asked"})
    return '{"text": "x"}' if request.output_schema else "Done."


async def orchestrator(journal: SqliteJournal, tracing: Tracing) -> Orchestrator:
    """Put the product together around doubles for models and tools."""
    tools = {name: CannedTool(name, parameters=ONE_TEXT) for name in STEPS}
    agents = (AgentSpec(name="worker", description="Works", tools=STEPS),)
    world = AssembledCatalog(
        catalog=build_catalog(agents, [tool.spec for tool in tools.values()], {}),
        policy=allow_everything(agents),
        tools=tools,
        left_out={},
    )
    llm = traced_model(FunctionLLM(mind), tracing)
    return make_orchestrator(
        journal=journal,
        owner=this_process("bench"),
        clock=SystemClock(),
        ids=SystemIds(),
        models=Models(planner=llm, agents=AgentModels(default=llm)),
        planner=make_planner(PlannerModel(mode="model", shortlist=8), llm, source=RetrievalPrior()),
        world=world,
        memory=InProcessMemory(),
        chosen=AgentModel(),
        tracing=tracing,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One way of running: with telemetry or without."""

    folder: Path
    receiver: str = ""
    """Address of the other process; empty: everything is off."""

    async def block(self, number: int) -> float:
        """Carry out a block on a new journal; give how long it took, in seconds, delivery included."""
        home = self.folder / f"{'on' if self.receiver else 'off'}{number}"
        clock, owner = SystemClock(), this_process("bench")
        home.mkdir()
        journal = await SqliteJournal.open(
            home / "journal.db", clock, SystemIds(), is_dead=partial(is_dead, here=owner)
        )
        tracing = self._on(home) if self.receiver else Tracing()
        front = await orchestrator(journal, tracing)
        await front.route_task(TASK)  # whatever is made on first use
        began = time.perf_counter()
        for run in range(RUNS):
            if self.receiver and run == RUNS // 2:
                scraping = asyncio.create_task(asyncio.to_thread(_get, f"{self.receiver}/metrics?{home}"))
            state = await front.route_task(TASK)
            assert state.status == "completed", (state.ended, state.decision)
            assert len(state.calls) == len(STEPS)
        if tracing.provider is not None:
            await asyncio.to_thread(tracing.provider.force_flush)
        took = time.perf_counter() - began
        if self.receiver:
            assert b"planwarden_runs_total" in await scraping
            self._off(tracing)
        await journal.aclose()
        return took

    def _on(self, home: Path) -> Tracing:
        write_log("json", (home / "log").open("w"))
        return open_tracing(
            TracingSettings(
                destination="otlp", version="0", file=home / "unused", spool=home / "spool", process="bench"
            )
        )

    def _off(self, tracing: Tracing) -> None:
        tracing.close()
        assert tracing.counts.failed == tracing.counts.not_kept == 0
        logger = logging.getLogger(LOGGER)
        for handler in logger.handlers[1:]:
            logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


def _get(address: str) -> bytes:
    with urllib.request.urlopen(address) as answer:
        return answer.read()


async def compare(pairs: int, folder: Path, receiver: str) -> tuple[list[float], list[float]]:
    """Run pairs of blocks, each kind first in turn; give what a run took in each, in seconds."""
    off, on = Arm(folder=folder), Arm(folder=folder, receiver=receiver)
    took: dict[bool, list[float]] = {False: [], True: []}
    for number in range(pairs):
        for arm in (off, on) if number % 2 else (on, off):
            took[arm is on].append(await arm.block(number) / RUNS)
    return took[False], took[True]


def main() -> int:
    """Run the benchmark; ends with 1 when telemetry adds more than it may, or a span was lost."""
    pairs = int(os.environ.get("PLANWARDEN_BENCH_BLOCKS", "40"))
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([sys.executable, __file__, "receive"], stdout=subprocess.PIPE, text=True) as other,
    ):
        assert other.stdout is not None
        receiver = f"http://127.0.0.1:{int(other.stdout.readline())}"
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver
        try:
            off, on = asyncio.run(compare(pairs, Path(folder), receiver))
            came = int(_get(receiver))
        finally:
            other.terminate()
    more = [with_it / without - 1 for without, with_it in zip(off, on, strict=True)]
    added = statistics.median(more)
    sent = pairs * (RUNS + 1) * SPANS
    print(f"telemetry: {pairs} pairs of blocks of {RUNS} runs of {len(STEPS)} steps, {SPANS} spans each")
    print(f"  ms per run, off: {_said(off, 1000)}")
    print(f"  ms per run, on:  {_said(on, 1000)}")
    print(f"  added, % of its neighbour: {_said(more, 100)}; at most {MOST:.0%}")
    print(f"  spans received: {came} of {sent}")
    return 1 if added > MOST or came != sent else 0


def _said(values: Sequence[float], scale: float) -> str:
    if len(values) < 2:
        return f"{scale * values[0]:.2f}"
    low, middle, high = (scale * value for value in statistics.quantiles(values, n=4))
    return f"median {middle:.2f}, quartiles {low:.2f} and {high:.2f}"


if __name__ == "__main__":
    sys.exit(receive() if sys.argv[1:] == ["receive"] else main())
