"""Commands over all runs together: metrics."""

from __future__ import annotations

import typer

from planwarden.app import Planwarden
from planwarden.audit.metrics import Totals
from planwarden.cli.output import tell
from planwarden.cli.running import with_planwarden


def metrics() -> None:
    """Print metrics over every run in the journal as Prometheus text."""

    async def work(planwarden: Planwarden) -> Totals:
        return await planwarden.record.metrics()

    # Imported here, for it brings in prometheus_client, which the other commands start faster without.
    from planwarden.audit.exposition import prometheus_text  # noqa: PLC0415 - see above

    totals = with_planwarden(work, as_json=False)
    typer.echo(prometheus_text(totals), nl=False)
    if totals.damaged:
        tell(f"[yellow]{totals.damaged} damaged runs are left out[/]: see `planwarden runs`")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(metrics)
