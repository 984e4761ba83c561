"""The exporter that is given bytes: the SDK's own, but for its encoder."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan

from planwarden.telemetry import otlp_http as module
from planwarden.telemetry.otlp_bytes import span_bytes
from planwarden.telemetry.otlp_http import BytesExporter, http_exporter, with_our_encoder
from planwarden.telemetry.readable import readable


def encoded_elsewhere(_: object, spans: Sequence[ReadableSpan]) -> int:
    return len(spans)


@pytest.mark.requirement("TRC-17")
def test_the_installed_exporter_is_given_bytes_and_nobody_elses_is_touched() -> None:
    exporter, show = http_exporter()
    assert isinstance(exporter, BytesExporter)
    assert show is span_bytes
    assert OTLPSpanExporter.export is not BytesExporter.export
    assert OTLPSpanExporter.export.__globals__[module.ENCODES].__module__.startswith("opentelemetry.")


@pytest.mark.requirement("TRC-17")
def test_an_exporter_that_encodes_elsewhere_is_given_spans_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    assert with_our_encoder(encoded_elsewhere) is encoded_elsewhere
    monkeypatch.setattr(BytesExporter, "export", OTLPSpanExporter.export)
    exporter, show = http_exporter()
    assert type(exporter) is OTLPSpanExporter
    assert show is readable
