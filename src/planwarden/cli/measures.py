"""Commands over all runs together: metrics."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from planwarden.app import Planwarden
from planwarden.cli.output import plain, tell, tell_error
from planwarden.cli.running import with_planwarden
from planwarden.configuration.settings import Settings
from planwarden.errors import StoreError

if TYPE_CHECKING:
    from planwarden.api.listen import Address
    from planwarden.audit.metrics.totals import Totals

Listen = Annotated[
    str | None,
    typer.Option(
        "--listen",
        metavar="HOST:PORT",
        help="Serve a scraper at /metrics, and /healthz, until stopped; 127.0.0.1:9464, say.",
    ),
]


def metrics(listen: Listen = None) -> None:
    """Print metrics over every run in the journal as Prometheus text, or serve them to a scraper."""
    # Imported here, for it brings in prometheus_client, which the other commands start faster without.
    from planwarden.audit.metrics.exposition import prometheus_text  # noqa: PLC0415 - see above

    if listen is not None:
        _listen(listen)
        return

    async def work(planwarden: Planwarden) -> Totals:
        return await planwarden.record.metrics()

    totals = with_planwarden(work, as_json=False)
    typer.echo(prometheus_text(totals), nl=False)
    if totals.damaged:
        tell(f"[yellow]{totals.damaged} damaged runs are left out[/]: see `planwarden runs`")


def _listen(text: str) -> None:
    from planwarden.api.listen import read_address  # noqa: PLC0415 - heavy; see above

    async def work(planwarden: Planwarden) -> None:
        address = read_address(text)
        if not address.is_loopback:
            tell(
                f"[yellow]{plain(str(address))} can be reached from other machines[/]:"
                " whoever reaches it can read the metrics; nothing asks for a password"
            )
        await _serve(planwarden.settings, address)

    with_planwarden(work, as_json=False)


async def _serve(settings: Settings, address: Address) -> None:
    """Serve until a signal says to stop."""
    from planwarden.api.metrics import MetricsApp  # noqa: PLC0415 - heavy; see above
    from planwarden.api.server import Server  # noqa: PLC0415 - heavy; see above
    from planwarden.app.archive.journal_watch import JournalWatch  # noqa: PLC0415 - heavy; see above

    watch = JournalWatch(settings, _tell_trouble)
    try:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with Server(app=MetricsApp(totals=watch.totals)).serve(address) as at:
                watch.begin()
                tell(f"metrics of {plain(str(settings.journal_path))} at http://{plain(str(at))}/metrics")
                async for _ in signals:
                    tell("stopping")
                    break
    finally:
        await watch.aclose()


def _tell_trouble(error: StoreError | None) -> None:
    if error is None:
        tell("the journal can be read again")
    else:
        tell_error(error)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(metrics)
