"""What telemetry costs: the same runs of no latency with it off, and with traces, logs and metrics on.

A run is what `Planwarden.route_task` does, all of it, but for model and tools, which answer at once: catalog,
ranking, plan, policy, a real SQLite journal on this disk, dossier, memory. With telemetry on, spans go to a
receiver in another process through the spool and the batch exporter, the log is written as JSON, and that
other process scrapes the metrics every 15 seconds. Blocks of both kinds alternate, so that a machine that is
busy for a while is so for both; neighbours are compared.

PLANWARDEN_BENCH_BLOCKS sets how many pairs of blocks (40). Ends with 1 when telemetry adds more than 5 % in
the median; of fewer than 20 pairs, in three quarters of them, for so few say little on a busy machine.
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
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from planwarden import Planwarden, Task, load_settings
from planwarden.app.models import Models
from planwarden.app.traces import traced_model
from planwarden.audit.metrics.exposition import prometheus_text
from planwarden.configuration.catalog_file import AssembledCatalog
from planwarden.contracts.facts import RunStarted
from planwarden.llm.service import LLMRequest
from planwarden.runtime.asking import AgentModels
from planwarden.telemetry.logs import LOGGER, write_log
from planwarden.testing.canned_tool import ONE_TEXT, CannedTool
from planwarden.testing.scripted_llm import FunctionLLM

RUNS = 30
"""In a block; more spans than the exporter sends at a time, so that it sends while runs go on."""
MOST = 0.05
ENOUGH = 20
"""Pairs whose median is taken at its word."""
STEPS = ("look", "read", "count", "write")
SPANS = 3 + 4 * len(STEPS)
"""Of a run: run, plan and its question; for each step itself, two questions, one call."""
TASK = Task(prompt="Look, read, count and write.")
PLANNER = {"mode": "model", "retries": 0}
"""The model's plan is followed as it is, so that each run is the same."""
SCRAPED_EVERY_S = 15.0
"""As Prometheus is often set."""
CATALOG = """
version: 1
agents:
  general_agent: {description: Works, tools: [look, read, count, write]}
policies:
  general_agent:
    rules: [{name: all, allow: [look, read, count, write], reason: they do nothing}]
"""


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


class Instant(Planwarden):
    """The product, with a model that answers at once."""

    _instant: Models | None = None

    async def models(
        self,
        pinned: RunStarted | None = None,  # noqa: ARG002 - the product's signature
        world: AssembledCatalog | None = None,  # noqa: ARG002 - the product's signature
    ) -> Models:
        """Give that model, for planner and agents."""
        if self._instant is None:
            llm = traced_model(FunctionLLM(mind), self.tracing)
            self._instant = Models(planner=llm, agents=AgentModels(default=llm))
        return self._instant


@dataclass(slots=True, kw_only=True)
class Arm:
    """One way of running: with telemetry or without."""

    folder: Path
    receiver: str = ""
    """Address of the other process; empty: everything is off."""
    scraped_at: float = 0.0

    async def block(self, number: int) -> float:
        """Carry out a block in a new home; give how long it took, in seconds, delivery included."""
        home = self.folder / f"{'on' if self.receiver else 'off'}{number}"
        home.mkdir()
        config = home / "planwarden.yaml"
        config.write_text(CATALOG)
        telemetry = {"traces": "otlp" if self.receiver else "off"}
        settings = load_settings(
            {
                "planwarden_home": home,
                "planwarden_config": config,
                "telemetry": telemetry,
                "planner_llm": PLANNER,
            }
        )
        tools = [CannedTool(name, parameters=ONE_TEXT) for name in STEPS]
        planwarden = Instant(settings, tools)
        with self._logging(home):
            await planwarden.route_task(TASK)  # whatever is made on first use
            began = time.perf_counter()
            scraping = self._scrape(home)
            for _ in range(RUNS):
                result = await planwarden.route_task(TASK)
                assert result.status == "completed"
                assert len(result.state.calls) == len(STEPS)
            if planwarden.tracing.provider is not None:
                await asyncio.to_thread(planwarden.tracing.provider.force_flush)
            took = time.perf_counter() - began
        counts = planwarden.tracing.counts
        assert counts.failed == counts.not_kept == 0
        assert scraping is None or b"planwarden_runs_total" in await scraping
        await planwarden.aclose()
        return took

    def _scrape(self, home: Path) -> asyncio.Task[bytes] | None:
        now = time.monotonic()
        if not self.receiver or now - self.scraped_at < SCRAPED_EVERY_S:
            return None
        self.scraped_at = now
        return asyncio.create_task(asyncio.to_thread(fetched, f"{self.receiver}/metrics?{home}"))

    @contextmanager
    def _logging(self, home: Path) -> Generator[None]:
        if not self.receiver:
            yield
            return
        logger = logging.getLogger(LOGGER)
        before = list(logger.handlers)
        with (home / "log").open("w") as stream:
            write_log("json", stream)
            try:
                yield
            finally:
                logger.handlers[:] = before
                logger.setLevel(logging.NOTSET)


def fetched(address: str) -> bytes:
    """Give what the other process answers."""
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
    """Run the benchmark; ends with 1 when a span was lost or, but in a slice, telemetry adds too much."""
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
            came = int(fetched(receiver))
        finally:
            other.terminate()
    more = [with_it / without - 1 for without, with_it in zip(off, on, strict=True)]
    sent = pairs * (RUNS + 1) * SPANS
    print(f"telemetry: {pairs} pairs of blocks of {RUNS} runs of {len(STEPS)} steps, {SPANS} spans each")
    print(f"  ms per run, off: {_said(off, 1000)}")
    print(f"  ms per run, on:  {_said(on, 1000)}")
    print(f"  added, % of its neighbour: {_said(more, 100)}; at most {MOST:.0%}")
    print(f"  spans received: {came} of {sent}")
    in_slice = "PLANWARDEN_BENCH_SLICE" in os.environ
    return 1 if came != sent or (too_much(more) and not in_slice) else 0


def too_much(more: Sequence[float]) -> bool:
    """Judge what telemetry added, each as a share of its neighbour."""
    if len(more) >= ENOUGH:
        return statistics.median(more) > MOST
    return sum(each > MOST for each in more) > 0.75 * len(more)


def _said(values: Sequence[float], scale: float) -> str:
    if len(values) < 2:
        return f"{scale * values[0]:.2f}"
    low, middle, high = (scale * value for value in statistics.quantiles(values, n=4))
    return f"median {middle:.2f}, quartiles {low:.2f} and {high:.2f}"


if __name__ == "__main__":
    sys.exit(receive() if sys.argv[1:] == ["receive"] else main())
