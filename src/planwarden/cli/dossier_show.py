"""`planwarden dossier show`: a dossier as Markdown, as JSON or as a page, whole or redacted."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from planwarden.app import Planwarden
from planwarden.audit.dossier import dossier_bytes
from planwarden.audit.render import dossier_markdown
from planwarden.audit.timeline import Timeline, timeline
from planwarden.audit.tombstone import tombstone_bytes, tombstone_markdown
from planwarden.cli.output import out, plain, tell
from planwarden.cli.running import RunId, with_planwarden
from planwarden.contracts.dossier import Dossier, RedactedDossier
from planwarden.contracts.tombstone import Tombstone
from planwarden.contracts.value import canonical_json
from planwarden.errors import DataRejected, InputError


class Format(StrEnum):
    """How a dossier is shown."""

    json = "json"
    md = "md"
    html = "html"


class Redaction(StrEnum):
    """What is replaced."""

    content = "content"
    personal = "personal"


def show(
    run_id: RunId,
    form: Annotated[
        Format, typer.Option("--format", help="md for a terminal, json for programs, html for a browser.")
    ] = Format.md,
    to: Annotated[
        Path | None, typer.Option("--out", help="Write to this file instead of stdout.", dir_okay=False)
    ] = None,
    redaction: Annotated[
        Redaction | None,
        typer.Option(
            "--redact",
            help="content: replace every free text by its length; personal: replace e-mail addresses, phone "
            "numbers, IBANs, payment card numbers and IP addresses.",
        ),
    ] = None,
    patterns: Annotated[
        Path | None,
        typer.Option(
            "--redact-patterns",
            help="Replace what these find too: a file with one expression a line, in RE2's syntax.",
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """Show the dossier of a run, built from its journal; of an erased run, who erased it and what is left."""

    async def work(planwarden: Planwarden) -> str:
        journal = await planwarden.journal()
        kept = await planwarden.record.dossier_or_tombstone(run_id)
        origin = (await journal.head(run_id)).origin
        imported = f"Imported; the bundle was signed by key {origin}." if origin is not None else ""
        with _own_patterns(patterns, redaction) as own:
            if isinstance(kept, Tombstone):
                written = _tombstone(kept, form, redacted=redaction is not None)
            else:
                found = timeline(await journal.read(run_id))
                written = _written(kept, found, form, redaction, own, imported)
        if imported and form is Format.md:
            written = f"{imported}\n\n{written}"
        if to is not None:
            _write(to, written)
        return written

    written = with_planwarden(work, as_json=form is Format.json)
    if to is None and form is Format.md and out.is_terminal:
        from rich.markdown import Markdown  # noqa: PLC0415 - seldom needed

        out.print(Markdown(written))
    elif to is None:
        typer.echo(written, nl=False)
    else:
        tell(f"written to [bold]{plain(str(to))}[/]")


@contextmanager
def _own_patterns(file: Path | None, redaction: Redaction | None) -> Generator[Callable[[str], str] | None]:
    """Read the user's own patterns, where there are any.

    Raises:
        InputError: they cannot be used, or nothing is to be redacted by patterns.
        DataRejected: the file cannot be read.
    """
    if file is None:
        yield None
        return
    if redaction is not Redaction.personal:
        raise InputError(
            "--redact-patterns has nothing to do here.", remedy="Give it together with --redact personal."
        )
    from planwarden.audit.redaction.patterns import own_patterns  # noqa: PLC0415 - brings in DuckDB

    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataRejected(
            f"The patterns in {file} cannot be read: {error}.", remedy="Name a text file, in UTF-8."
        ) from error
    with own_patterns(text, str(file)) as patterns:
        yield patterns.replace


def _written(
    dossier: Dossier,
    found: Timeline,
    form: Format,
    redaction: Redaction | None,
    own: Callable[[str], str] | None,
    imported: str,
) -> str:
    """Write a dossier in a form."""
    from planwarden.audit.redaction.redact import NOTICES, redact  # noqa: PLC0415 - seldom needed

    shown: Dossier | RedactedDossier = dossier
    notice = ""
    if redaction is not None:
        shown = redact(dossier, redaction.value, own)
        dossier, notice = shown.dossier, NOTICES[shown.redacted]
    match form:
        case Format.json:
            return _json(shown)
        case Format.md:
            return dossier_markdown(dossier, notice=notice)
        case Format.html:
            from planwarden.audit.page.dossier_page import dossier_page  # noqa: PLC0415 - seldom needed

            return dossier_page(dossier, found, notice=" ".join(filter(None, (imported, notice))))


def _tombstone(tombstone: Tombstone, form: Format, *, redacted: bool) -> str:
    """Write what stands for an erased run; redacted, without the words of whoever erased it."""
    if redacted:
        tombstone = tombstone.model_copy(update=dict.fromkeys(("erased_by", "reason"), "(redacted)"))
    match form:
        case Format.json:
            return tombstone_bytes(tombstone).decode()
        case Format.md:
            return tombstone_markdown(tombstone)
        case Format.html:
            from planwarden.audit.page.tombstone_page import tombstone_page  # noqa: PLC0415 - seldom needed

            return tombstone_page(tombstone)


def _json(shown: Dossier | RedactedDossier) -> str:
    if isinstance(shown, Dossier):
        return dossier_bytes(shown).decode()
    return canonical_json(shown.model_dump(mode="json")).decode() + "\n"


def _write(file: Path, text: str) -> None:
    """Write a file.

    Raises:
        DataRejected: it cannot be written.
    """
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise DataRejected(
            f"{file} cannot be written: {error.strerror or error}.", remedy="Name another file with --out."
        ) from error
