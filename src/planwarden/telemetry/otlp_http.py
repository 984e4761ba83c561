"""The exporter of OpenTelemetry's SDK that speaks HTTP, given spans as bytes.

Address, headers, certificates, timeout, compression, retries and limits are its own, as are the variables
that set them. Only what it calls to encode a batch is ours, in this class and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, cast

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SpanExporter

from planwarden.telemetry.otlp_bytes import SpanBytes, request_bytes, span_bytes
from planwarden.telemetry.readable import Finished, readable

ENCODES = "encode_spans"
"""What the exporter calls for that, in every release up to now."""


class BytesExporter(OTLPSpanExporter):
    """Sends spans that are bytes already."""


def http_exporter() -> tuple[SpanExporter, Callable[[Finished], object]]:
    """Open an exporter as the environment says; give it with what makes of a span what it reads."""
    if BytesExporter.export is OTLPSpanExporter.export:
        return OTLPSpanExporter(), readable
    return BytesExporter(), span_bytes


def encoded(spans: Sequence[SpanBytes]) -> ExportTraceServiceRequest:
    """Give the message that the SDK's encoder would make; read from bytes, it costs little."""
    return ExportTraceServiceRequest.FromString(request_bytes(spans))


def with_our_encoder(export: Any) -> Any:  # noqa: ANN401 - a function of theirs
    """Give the same function that calls our encoder; itself where it does not encode as we know."""
    theirs = cast("FunctionType", export)
    if ENCODES not in theirs.__code__.co_names:
        return theirs
    around = {**theirs.__globals__, ENCODES: encoded}
    return FunctionType(theirs.__code__, around, theirs.__name__, theirs.__defaults__, theirs.__closure__)


BytesExporter.export = with_our_encoder(OTLPSpanExporter.export)
