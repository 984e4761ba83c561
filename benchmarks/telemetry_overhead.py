"""What telemetry costs: the same runs of no latency with it off, and with traces, logs and metrics on.

A run is what `Planwarden.route_task` does, all of it, but for model and tools, which answer at once: catalog,
ranking, plan, policy, a real SQLite journal on this disk, dossier, memory. With telemetry on, spans go to a
receiver in another process through the spool and the batch exporter, the log is written as JSON, and that
other process scrapes the metrics every 15 seconds.

The arms (off, only the log, only traces, everything) take turns run by run, so that whatever else the machine
does is the same for all. Spans are delivered when all arms have had their runs of a block: that time is
counted in full, as if nothing else could go on meanwhile. Beside wall time it prints processor time, of the
main thread and of the process, which a busy machine and a slow disk disturb less.

PLANWARDEN_BENCH_BLOCKS sets how many blocks (40). Ends with 1 when telemetry adds more than 5 % in the median
of the blocks; of fewer than 20, in three quarters of them, for so few say little on a busy machine.
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
import threading
import time
import urllib.request
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from planwarden import Planwarden, Task, load_settings
from planwarden.app.models import Models, ModelShelf, Opened
from planwarden.app.traces import traced_model
from planwarden.audit.metrics.exposition import prometheus_text
from planwarden.configuration.catalog_file import AssembledCatalog
from planwarden.contracts.facts import RunStarted
from planwarden.llm.service import LLMRequest
from planwarden.runtime.asking import AgentModels
from planwarden.telemetry.logs import LOGGER, write_log
from planwarden.testing.canned_tool import ONE_TEXT, CannedTool
from planwarden.testing.scripted_llm import FunctionLLM

RUNS = 26
"""Of each arm in a block: their spans fill a batch nearly, so that it is sent when that is measured."""
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
    turn = threading.Lock()
    """Of the threads that count; each connection has one."""

    def do_POST(self) -> None:
        """Take a batch."""
        request = ExportTraceServiceRequest()
        request.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
        came = sum(len(of_scope.spans) for each in request.resource_spans for of_scope in each.scope_spans)
        with Receiver.turn:
            Receiver.spans += came
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
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)  # an exporter keeps its connection
    print(server.server_port, flush=True)
    server.serve_forever()


def mind(request: LLMRequest) -> str:
    """Plan, fill in and answer at once."""
    schema = json.dumps(request.output_schema or {})
    if '"plan"' in schema:
        return json.dumps({"plan": list(STEPS), "why": "as asked"})
    return '{"text": "x"}' if request.output_schema else "Done."


class InstantModels(ModelShelf):
    """Opens one model that answers at once, for planner and agents."""

    def __init__(self, planwarden: Planwarden) -> None:
        super().__init__(planwarden.settings, planwarden.clock, planwarden.ids, planwarden.tracing)
        llm = traced_model(FunctionLLM(mind), planwarden.tracing)
        self._instant = Opened(models=Models(planner=llm, agents=AgentModels(default=llm)))

    async def try_models(
        self,
        pinned: RunStarted | None = None,  # noqa: ARG002 - the product's signature
        world: AssembledCatalog | None = None,  # noqa: ARG002 - the product's signature
    ) -> Opened:
        """Give that model."""
        return self._instant


class Instant(Planwarden):
    """The product, with a model that answers at once."""

    _instant: InstantModels | None = None

    @property
    def model_shelf(self) -> ModelShelf:
        """Give what opens that model."""
        if self._instant is None:
            self._instant = InstantModels(self)
        return self._instant


Part = Literal["wall", "main", "process"]
PARTS: tuple[Part, ...] = ("wall", "main", "process")
SAID = {"wall": "wall time", "main": "processor, main thread", "process": "processor, whole process"}


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds."""

    wall: float = 0.0
    main: float = 0.0
    """Of processor time, of the thread in which runs are."""
    process: float = 0.0
    """Of processor time, of all threads."""

    def __add__(self, other: Took) -> Took:
        """Add up."""
        return Took(self.wall + other.wall, self.main + other.main, self.process + other.process)


class Watch:
    """Measures from when it is made."""

    def __init__(self) -> None:
        self._wall, self._main, self._process = time.perf_counter(), time.thread_time(), time.process_time()

    def took(self) -> Took:
        """Give what it took until now."""
        process, main, wall = time.process_time(), time.thread_time(), time.perf_counter()
        return Took(wall - self._wall, main - self._main, process - self._process)


@dataclass(slots=True, kw_only=True)
class Arm:
    """One way of running, in a home of its own."""

    home: Path
    traces: bool = False
    log: bool = False
    planwarden: Instant = field(init=False)
    runs: int = 0
    took: Took = field(default_factory=Took)
    """By all its runs."""
    delivery: Took = field(default_factory=Took)
    """By delivering their spans."""

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True)
        config = self.home / "planwarden.yaml"
        config.write_text(CATALOG)
        settings = load_settings(
            {
                "planwarden_home": self.home,
                "planwarden_config": config,
                "telemetry": {"traces": "otlp" if self.traces else "off"},
                "planner_llm": PLANNER,
            }
        )
        self.planwarden = Instant(settings, [CannedTool(name, parameters=ONE_TEXT) for name in STEPS])

    async def run(self, *, counts: bool = True) -> None:
        """Carry out one run."""
        with self._logging():
            watch = Watch()
            result = await self.planwarden.route_task(TASK)
            took = watch.took()
        assert result.status == "completed"
        assert len(result.state.calls) == len(STEPS)
        if counts:
            self.runs += 1
            self.took += took

    def each(self, part: Part) -> float:
        """Give what one run took, with its share of delivery, in milliseconds."""
        return 1000 * (getattr(self.took, part) + getattr(self.delivery, part)) / self.runs

    async def deliver(self) -> None:
        """Deliver what was traced."""
        provider = self.planwarden.tracing.provider
        if provider is None:
            return
        watch = Watch()
        await asyncio.to_thread(provider.force_flush)
        self.delivery += watch.took()

    async def close(self) -> None:
        """Close it; no span may have been lost."""
        counts = self.planwarden.tracing.counts
        assert counts.failed == counts.not_kept == 0
        await self.planwarden.aclose()

    @contextmanager
    def _logging(self) -> Generator[None]:
        if not self.log:
            yield
            return
        logger = logging.getLogger(LOGGER)
        before = list(logger.handlers)
        with (self.home / "log").open("a") as stream:
            write_log("json", stream)
            try:
                yield
            finally:
                logger.handlers[:] = before
                logger.setLevel(logging.NOTSET)
                logger.propagate = True


def fetched(address: str) -> bytes:
    """Give what the other process answers."""
    with urllib.request.urlopen(address) as answer:
        return answer.read()


@dataclass(slots=True, kw_only=True)
class Scrapes:
    """Has the other process scrape the metrics, every so often, while runs of one arm go on."""

    receiver: str
    since: float = SCRAPED_EVERY_S
    """Seconds of runs of that arm since the last one."""

    async def during(self, arm: Arm) -> None:
        """Run the arm once; where a scrape is due, as often as there is time while it lasts."""
        before = arm.took.wall
        if self.since < SCRAPED_EVERY_S:
            await arm.run()
            self.since += arm.took.wall - before
            return
        scrape = asyncio.create_task(asyncio.to_thread(fetched, f"{self.receiver}/metrics?{arm.home}"))
        while not scrape.done():
            await arm.run()
        assert b"planwarden_runs_total" in await scrape
        self.since = arm.took.wall - before


async def block(folder: Path, scrapes: Scrapes) -> dict[str, Arm]:
    """Carry out a block: the arms' runs in turn, then what was traced is delivered."""
    arms = {
        "off": Arm(home=folder / "off"),
        "log": Arm(home=folder / "log", log=True),
        "traces": Arm(home=folder / "traces", traces=True),
        "all": Arm(home=folder / "all", traces=True, log=True),
    }
    for arm in arms.values():
        await arm.run(counts=False)  # whatever is made on first use
        await arm.deliver()
        arm.delivery = Took()
    for turn in range(RUNS):
        order = list(arms)[turn % 4 :] + list(arms)[: turn % 4]
        for name in order if turn % 8 < 4 else reversed(order):
            if name == "all":
                await scrapes.during(arms[name])
            else:
                await arms[name].run()
    for arm in arms.values():
        await arm.deliver()
        await arm.close()
    return arms


async def blocks(many: int, folder: Path, receiver: str) -> list[dict[str, Arm]]:
    """Carry out blocks."""
    scrapes = Scrapes(receiver=receiver)
    return [await block(folder / str(number), scrapes) for number in range(many)]


def main() -> int:
    """Run the benchmark; ends with 1 when a span was lost or, but in a slice, telemetry adds too much."""
    many = int(os.environ.get("PLANWARDEN_BENCH_BLOCKS", "40"))
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([sys.executable, __file__, "receive"], stdout=subprocess.PIPE, text=True) as other,
    ):
        assert other.stdout is not None
        receiver = f"http://127.0.0.1:{int(other.stdout.readline())}"
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver
        try:
            done = asyncio.run(blocks(many, Path(folder), receiver))
            came = int(fetched(receiver))
        finally:
            other.terminate()
    sent = sum((arm.runs + 1) * SPANS for arms in done for arm in arms.values() if arm.traces)
    more = [arms["all"].each("wall") / arms["off"].each("wall") - 1 for arms in done]
    print(f"telemetry: {many} blocks of {RUNS} runs of {len(STEPS)} steps in each arm, {SPANS} spans a run")
    for line in report(done):
        print(line)
    print(f"  added by all, % of a run: {_said(more, 100)}; at most {MOST:.0%}")
    print(f"  spans received: {came} of {sent}")
    in_slice = "PLANWARDEN_BENCH_SLICE" in os.environ
    return 1 if came != sent or (too_much(more) and not in_slice) else 0


def report(done: Sequence[Mapping[str, Arm]]) -> Iterator[str]:
    """Say what a run took in each arm, and what each arm adds."""
    for part in PARTS:
        off = [arms["off"].each(part) for arms in done]
        yield f"  {SAID[part]}, ms a run, off: {_said(off, 1)}"
        for name in ("log", "traces", "all"):
            added = [arms[name].each(part) - arms["off"].each(part) for arms in done]
            share = statistics.median(added) / statistics.median(off)
            yield f"    {name + ' adds:':14} {_said(added, 1)} ({share:+.1%})"
    took = [1000 * arms["all"].delivery.wall / arms["all"].runs for arms in done]
    yield f"  of that delivery, ms of wall time a run: {_said(took, 1)}"


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
