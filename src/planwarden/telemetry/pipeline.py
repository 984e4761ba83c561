"""Putting OpenTelemetry's SDK together: from a finished span to the file, the stream or the receiver."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable
from typing import cast

from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NoOpTracer

from planwarden.errors import SettingsRejected
from planwarden.telemetry.exporters import CountedExporter, FileExporter, StreamExporter
from planwarden.telemetry.handover import Handover
from planwarden.telemetry.opentelemetry import OpenTelemetryTracer
from planwarden.telemetry.readable import Finished, OneResource, Origin, readable
from planwarden.telemetry.span import SpanRow
from planwarden.telemetry.spool import Spool
from planwarden.telemetry.tracing import NAME, Tracing, TracingSettings

SCHEMA = "https://opentelemetry.io/schemas/1.41.0"
"""The version of the conventions that our names follow."""
HTTP = "opentelemetry-exporter-otlp-proto-http"
GRPC = "opentelemetry-exporter-otlp-proto-grpc"
"""Not in the extra, which speaks HTTP: gRPC is a large library."""
GRPC_MODULE = "opentelemetry.exporter.otlp.proto.grpc.trace_exporter"


def assemble(settings: TracingSettings) -> Tracing:
    """Open what the settings name; anything but `off`.

    Raises:
        SettingsRejected: an exporter cannot be made as configured.
    """
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())  # we log failures ourselves, once
    resource = _resource(settings.version)
    provider = TracerProvider(resource=resource, shutdown_on_exit=False, id_generator=settings.ids)
    if isinstance(provider.get_tracer(NAME), NoOpTracer):  # OTEL_SDK_DISABLED
        return Tracing()
    scope = InstrumentationScope(NAME, settings.version, SCHEMA)
    origin = Origin(resource=resource, scope=scope, limits=SpanLimits())
    if settings.destination == "otlp":
        return _kept_and_sent(settings, provider, origin)
    exporter = CountedExporter(_at_once(settings), lambda _: None)
    processor = SimpleSpanProcessor(exporter)
    provider.add_span_processor(processor)
    give = cast("Callable[[Finished], None]", processor.on_end)
    return _tracing(settings, provider, exporter, lambda row: give(Finished(origin, row)))


def _kept_and_sent(settings: TracingSettings, provider: TracerProvider, origin: Origin) -> Tracing:
    spool = Spool(settings.spool, settings.process, origin)
    inner, show = _otlp(settings.protocol)
    exporter = CountedExporter(inner, spool.received, show=show)
    handover = Handover(spool, origin, BatchSpanProcessor(exporter))
    provider.add_span_processor(handover)
    for span in spool.take_over():
        handover.send(span)
    return _tracing(settings, provider, exporter, handover.add, spool)


def _tracing(
    settings: TracingSettings,
    provider: TracerProvider,
    exporter: CountedExporter,
    finish: Callable[[SpanRow], None],
    spool: Spool | None = None,
) -> Tracing:
    return Tracing(
        tracer=OpenTelemetryTracer(provider, finish),
        content=settings.content,
        propagate=settings.propagate,
        provider=provider,
        exporter=exporter,
        spool=spool,
    )


def _resource(version: str) -> OneResource:
    """Say who we are, unless the environment does (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`)."""
    ambient = Resource.create({})
    ours: dict[str, str] = {SERVICE_VERSION: version} if SERVICE_VERSION not in ambient.attributes else {}
    if str(ambient.attributes.get(SERVICE_NAME, "unknown_service")).startswith("unknown_service"):
        ours[SERVICE_NAME] = NAME
    whole = ambient.merge(Resource(dict(ours)))
    return OneResource(whole.attributes, whole.schema_url)


def _otlp(protocol: str) -> tuple[SpanExporter, Callable[[Finished], object]]:
    package = {"http/protobuf": HTTP, "grpc": GRPC}.get(protocol)
    if package is None:
        raise SettingsRejected(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}, which is not spoken here.",
            remedy="Set it to http/protobuf, or to grpc.",
        )
    try:
        if package == HTTP:
            from planwarden.telemetry.otlp_http import http_exporter  # noqa: PLC0415 - may not be installed

            return http_exporter()
        exporter: SpanExporter = importlib.import_module(GRPC_MODULE).OTLPSpanExporter()
    except ImportError as error:
        raise SettingsRejected(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}, and the library for it is not installed ({error}).",
            remedy=f"Run `pip install {package}`, or set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf.",
        ) from error
    return exporter, readable


def _at_once(settings: TracingSettings) -> SpanExporter:
    if settings.destination == "console":
        return StreamExporter(settings.stream or sys.stderr)
    try:
        return FileExporter(settings.file)
    except OSError as error:
        raise SettingsRejected(
            f"TELEMETRY__FILE {settings.file} cannot be written: {error.strerror}.",
            remedy="Name a file that can be written.",
        ) from error
