"""What tests of traces share: spans in memory, ids that repeat, and a receiver that decodes real OTLP."""

from __future__ import annotations

import gzip
import importlib
import threading
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from planwarden.telemetry.opentelemetry import OpenTelemetryTracer
from planwarden.telemetry.readable import Finished, OneResource, Origin, readable
from planwarden.telemetry.span import SpanRow
from planwarden.telemetry.tracing import Tracing, TracingSettings

CALLER = f"00-{'c' * 32}-{'d' * 16}-01"
"""The place in a trace of somebody who starts a run."""


class CountingTraceIds(IdGenerator):
    """Trace ids 1, 2, 3, … and span ids 1, 2, 3, …"""

    def __init__(self) -> None:
        self._traces = self._spans = 0

    def generate_trace_id(self) -> int:
        self._traces += 1
        return self._traces

    def generate_span_id(self) -> int:
        self._spans += 1
        return self._spans


@dataclass(frozen=True, slots=True, kw_only=True)
class InMemory:
    """A tracing whose spans stay here."""

    tracing: Tracing
    exporter: InMemorySpanExporter

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        """Give the finished spans by name; of several of a name, the last."""
        return {span.name: span for span in self.exporter.get_finished_spans()}

    def named(self, name: str) -> list[ReadableSpan]:
        """Give the finished spans of a name, in the order in which they ended."""
        return [span for span in self.exporter.get_finished_spans() if span.name == name]


def an_origin(service: str = "test") -> Origin:
    """Give where spans of a test are from."""
    resource = OneResource({"service.name": service})
    return Origin(resource=resource, scope=InstrumentationScope("scope", "1"), limits=SpanLimits())


def a_provider(sampler: Sampler | None = None) -> TracerProvider:
    """Give a provider whose ids repeat, sampling as the environment says when nothing is given."""
    return TracerProvider(id_generator=CountingTraceIds(), shutdown_on_exit=False, sampler=sampler)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A tracer whose finished spans stay here as they are."""

    tracer: OpenTelemetryTracer
    rows: list[SpanRow]


def rows(sampler: Sampler | None = None) -> Rows:
    """Trace into a list."""
    kept: list[SpanRow] = []
    return Rows(tracer=OpenTelemetryTracer(a_provider(sampler), kept.append), rows=kept)


def in_memory(*, content: bool = False) -> InMemory:
    """Trace into memory, with ids that repeat."""
    exporter, origin, provider = InMemorySpanExporter(), an_origin(), a_provider()

    def finish(row: SpanRow) -> None:
        exporter.export([readable(Finished(origin, row))])

    tracer = OpenTelemetryTracer(provider, finish)
    return InMemory(tracing=Tracing(tracer=tracer, content=content, provider=provider), exporter=exporter)


def place(span: ReadableSpan | None) -> tuple[str, str]:
    """Give trace id and span id as they are written."""
    assert span is not None
    assert span.context is not None
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


def parent_of(span: ReadableSpan) -> str | None:
    """Give the id of the span that this one is in."""
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def noted(span: ReadableSpan) -> dict[str, Any]:
    """Give the attributes of a span."""
    return dict(span.attributes or {})


def everything_in(spans: Iterable[ReadableSpan]) -> str:
    """Give all that is in spans as one text."""
    return "\n".join(span.to_json() for span in spans)


@dataclass(slots=True, kw_only=True)
class Receiver:
    """A server over HTTP that takes OTLP as a Collector does, or does not."""

    answers: Literal["taken", "error", "silence"] = "taken"
    """What it does with a batch from now on; `silence` holds it until the server stops."""
    spans: list[WireSpan] = field(default_factory=list[WireSpan])
    services: set[str] = field(default_factory=set[str])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    url: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def names(self) -> list[str]:
        """Give the names of the spans that came."""
        return [span.name for span in self.spans]

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Take a batch; give the status to answer."""
        answers = self.answers
        self.headers.append(headers)
        if answers == "silence":
            self.over.wait(60)
        if answers != "taken":
            return 500
        packed = headers.get("content-encoding") == "gzip"
        request = ExportTraceServiceRequest.FromString(gzip.decompress(body) if packed else body)
        for of_resource in request.resource_spans:
            named = {each.key: each.value.string_value for each in of_resource.resource.attributes}
            self.services.add(named["service.name"])
            for of_scope in of_resource.scope_spans:
                self.spans.extend(of_scope.spans)
        return 200

    @contextmanager
    def serve(self) -> Generator[Receiver]:
        """Listen on a free loopback port for as long as the context lasts."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.take({name.lower(): value for name, value in self.headers.items()}, body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                """Say nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            server.block_on_close = False
            self.url = f"http://127.0.0.1:{server.server_port}"
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield self
            finally:
                self.over.set()
                server.shutdown()
                thread.join(20)


@dataclass(slots=True, kw_only=True)
class GrpcReceiver:
    """A server over gRPC that takes OTLP as a Collector does."""

    spans: list[WireSpan] = field(default_factory=list[WireSpan])
    services: set[str] = field(default_factory=set[str])
    authorizations: set[str] = field(default_factory=set[str])
    url: str = ""

    @property
    def names(self) -> list[str]:
        """Give the names of the spans that came."""
        return [span.name for span in self.spans]

    def take(self, request: ExportTraceServiceRequest, context: Any) -> ExportTraceServiceResponse:
        """Take a batch."""
        sent = {name: str(value) for name, value in context.invocation_metadata()}
        self.authorizations.add(sent.get("authorization", ""))
        for of_resource in request.resource_spans:
            named = {each.key: each.value.string_value for each in of_resource.resource.attributes}
            self.services.add(named["service.name"])
            for of_scope in of_resource.scope_spans:
                self.spans.extend(of_scope.spans)
        return ExportTraceServiceResponse()

    @contextmanager
    def serve(self) -> Generator[GrpcReceiver]:
        """Listen on a free loopback port for as long as the context lasts."""
        grpc: Any = importlib.import_module("grpc")  # without types
        export = grpc.unary_unary_rpc_method_handler(
            self.take,
            request_deserializer=ExportTraceServiceRequest.FromString,
            response_serializer=ExportTraceServiceResponse.SerializeToString,
        )
        service = "opentelemetry.proto.collector.trace.v1.TraceService"
        server = grpc.server(ThreadPoolExecutor(max_workers=1))
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": export}),))
        self.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield self
        finally:
            server.stop(None).wait(20)


def otlp(folder: Path, process: str = "p1", *, protocol: str = "http/protobuf") -> TracingSettings:
    """Give settings that send to wherever the environment says, with a spool in a folder."""
    return TracingSettings(
        destination="otlp",
        version="0",
        file=folder / "unused",
        spool=folder / "spool",
        process=process,
        protocol=protocol,
    )
