"""Where spans go: an exporter whose failures are counted and told once; a file; a stream for people."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO, cast

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from planwarden.telemetry.logs import log
from planwarden.telemetry.otlp_json import OtlpLines, context_of
from planwarden.telemetry.readable import Finished, readable


class CountedExporter(SpanExporter):
    """Hands finished spans to an exporter and counts what it delivers; logs the first failure of a row."""

    def __init__(
        self,
        inner: SpanExporter,
        received: Callable[[Sequence[Finished]], None],
        *,
        show: Callable[[Finished], object] = readable,
    ) -> None:
        """Wrap `inner`, which reads what `show` gives; `received` is told every batch that was delivered."""
        self._inner = inner
        self._received = received
        self._show = show
        self._failing = False
        self.delivered = 0
        self.failed = 0
        self.not_shown = 0
        """Spans that the exporter was not given: nothing that it reads could be made of them."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Deliver a batch; never raises."""
        finished = cast("Sequence[Finished]", spans)
        shown = self._shown(finished)
        try:
            result = self._inner.export(shown) if shown else SpanExportResult.SUCCESS
            reason = "" if result is SpanExportResult.SUCCESS else "refused_or_unreachable"
        except Exception as error:  # noqa: BLE001 - whatever an exporter does must not reach a run
            result, reason = SpanExportResult.FAILURE, type(error).__name__
        if reason:
            self.failed += len(shown)
            if not self._failing:
                log("warning", "traces_not_exported", spans=len(shown), reason=reason)
        else:
            self.delivered += len(shown)
            self._received(finished)
        self._failing = bool(reason)
        return result

    def _shown(self, spans: Sequence[Finished]) -> Sequence[ReadableSpan]:
        """Give spans as the exporter reads them; one of which nothing can be made costs itself only."""
        shown: list[object] = []
        for span in spans:
            try:
                shown.append(self._show(span))
            except Exception:  # noqa: BLE001 - as above
                self.not_shown += 1
        return cast("Sequence[ReadableSpan]", shown)

    def shutdown(self) -> None:
        """Shut the exporter down."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter."""
        return self._inner.force_flush(timeout_millis)


class FileExporter(SpanExporter):
    """Appends each span to a file, as a line of OTLP in JSON."""

    def __init__(self, path: Path) -> None:
        """Open the file, which is made with its folder when needed.

        Raises:
            OSError: it cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._lines = OtlpLines()
        self._turn = threading.Lock()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write them."""
        with self._turn:
            for span in spans:
                self._file.write(f"{self._lines.line(span)}\n")
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the file."""
        self._file.close()


class StreamExporter(SpanExporter):
    """Writes each span on a line that a person reads: time, ids, name, attributes. Children come first."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write them."""
        for span in spans:
            self._stream.write(f"{_for_people(span)}\n")
        self._stream.flush()
        return SpanExportResult.SUCCESS


def _for_people(span: ReadableSpan) -> str:
    milliseconds = ((span.end_time or 0) - (span.start_time or 0)) / 1e6
    parent = f"{span.parent.span_id:016x}" if span.parent else "-"
    at = context_of(span)
    place = f"{at.trace_id:032x} {at.span_id:016x} in {parent}"
    attributes = " ".join(f"{name}={value!r}" for name, value in sorted((span.attributes or {}).items()))
    return f"span {place}  {span.name}  {milliseconds:.1f} ms  {span.status.status_code.name}  {attributes}"
