"""A shadow report as one HTML page: no script, nothing from outside, readable in light and dark. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from planwarden.audit.page.amounts import counted
from planwarden.evaluation.shadow.report.contract import (
    Figure,
    KnownReport,
    Quartiles,
    ShadowReport,
    SideReport,
)
from planwarden.evaluation.shadow.report.wording import (
    AGREEMENT_WORDS,
    EVIDENCE_WORDS,
    RIGHT_WORDS,
    counts,
    money,
    tally,
)

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --dim: #5b6577; --paper: #fff; --line: #d9dee7;
  --one: #2f5fb3; --two: #b3632f; --panel: #f5f7fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf2; --dim: #9aa5b8; --paper: #14181f;
  --line: #2e3644; --one: #7ea6ec; --two: #e3a176; --panel: #1b212b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; }
.verdict { background: var(--panel); border-left: 4px solid var(--one); padding: .9rem 1.1rem;
  font-size: 1.1rem; }
.dim, small { color: var(--dim); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; } dt { font-weight: 600; }
dd { margin: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { font-weight: 600; } td small { white-space: nowrap; }
svg { width: 100%; max-width: 30rem; height: auto; display: block; overflow: visible; }
svg text { fill: var(--ink); }
.one { fill: var(--one); stroke: var(--one); } .two { fill: var(--two); stroke: var(--two); }
.axis { stroke: var(--line); } svg .scale { fill: var(--dim); }
dt::before { content: ""; display: inline-block; width: .6rem; height: .6rem; margin-right: .5rem;
  border-radius: 50%; background: var(--one); } dt ~ dt::before { background: var(--two); }
"""


def shadow_page(report: ShadowReport, *, made: str = "") -> str:
    """Write the page; `made` says when, and by what."""
    sides = [side for side in (report.first, report.second) if side is not None]
    title = " against ".join(side.name for side in sides)
    parts = [
        f"<h1>Shadow run: {escape(title)}</h1>",
        f'<p class="verdict">{escape(report.verdict.sentence)}</p>',
        _described(sides),
        f"<p>{escape(tally(report))}. Nothing was executed.</p>",
        *(f"<p><strong>Note.</strong> {escape(note)}</p>" for note in report.notes),
        *(_known(known, report) for known in report.known),
        "<h2>What the plans cost, and whether they may be followed</h2>",
        _sides(sides),
        *_agreement(report),
        *_differences(report),
        '<p class="dim">Means with 95 % bootstrap intervals; medians with quartiles.</p>',
        *([f'<p class="dim">{escape(made)}</p>'] if made else []),
    ]
    head = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Shadow run: {escape(title)}</title><style>{_STYLE}</style></head>"
    )
    return f"{head}<body><main>\n" + "\n".join(parts) + "\n</main></body></html>\n"


def _described(sides: Sequence[SideReport]) -> str:
    rows = (f"<dt>{escape(side.name)}</dt><dd>{escape(side.describes)}</dd>" for side in sides)
    return f"<dl>{''.join(rows)}</dl>"


def _known(known: KnownReport, report: ShadowReport) -> str:
    second = report.second if known.second else None
    names = [report.first.name, *([second.name, "difference"] if second else [])]
    rows: list[Sequence[str]] = []
    for measure, words in RIGHT_WORDS.items():
        if measure in known.first:
            cells = [_figure(known.first[measure])]
            if known.second is not None and known.gain is not None:
                cells += [_figure(known.second[measure]), _figure(known.gain[measure], signed=True)]
            rows.append([escape(words), *cells])
    aside = "" if known.counts else " (shown, not counted)"
    named = EVIDENCE_WORDS[known.evidence].capitalize()
    head = f"<h2>{escape(named)}: {counted(known.tasks, 'task')}{aside}</h2>"
    return head + _bars(known) + _table(["", *map(escape, names)], rows)


def _bars(known: KnownReport) -> str:
    """Draw the means with their intervals, from 0 to 1."""
    drawn: list[str] = []
    rows = [measure for measure in RIGHT_WORDS if measure in known.first]
    for row, measure in enumerate(rows):
        top = 14 + row * 40
        drawn.append(f'<text x="0" y="{top + 4}" font-size="11">{escape(RIGHT_WORDS[measure])}</text>')
        drawn.append(_bar(known.first[measure], top + 10, "one"))
        if known.second is not None:
            drawn.append(_bar(known.second[measure], top + 19, "two"))
    bottom = 26 + 40 * len(rows)
    for at, anchor in ((0, "start"), (0.5, "middle"), (1, "end")):
        drawn.append(
            f'<text class="scale" x="{400 * at:g}" y="{bottom - 12}" font-size="10" '
            f'text-anchor="{anchor}">{at:g}</text>'
        )
    said = "; ".join(f"{RIGHT_WORDS[name]} {known.first[name].mean:.2f}" for name in rows)
    return (
        f'<svg viewBox="0 0 400 {bottom - 8}" role="img" aria-label="{escape(said)}">{"".join(drawn)}</svg>'
    )


def _bar(found: Figure, y: int, which: str) -> str:
    low, mean, high = (
        round(400 * min(max(value, 0.0), 1.0), 1) for value in (found.low, found.mean, found.high)
    )
    return (
        f'<line class="axis" x1="0" y1="{y}" x2="400" y2="{y}" />'
        f'<line class="{which}" x1="{low}" y1="{y}" x2="{high}" y2="{y}" stroke-width="4" opacity=".45" />'
        f'<circle class="{which}" cx="{mean}" cy="{y}" r="3.5" />'
    )


def _sides(sides: Sequence[SideReport]) -> str:
    rows = [
        ["valid plans", *(_figure(side.valid) for side in sides)],
        ["nothing refused on the way", *(_figure(side.unaided) for side in sides)],
        ["seconds for a plan", *(_quartiles(side.seconds, 3) for side in sides)],
        ["tokens read", *(_quartiles(side.prompt_tokens, 0) for side in sides)],
        ["tokens written", *(_quartiles(side.output_tokens, 0) for side in sides)],
        ["cost of all", *(money(side.cost) for side in sides)],
        ["plans by source", *(escape(counts(side.sources)) for side in sides)],
        ["why not to be followed", *(escape(counts(side.issues)) for side in sides)],
    ]
    return _table(["", *(escape(side.name) for side in sides)], rows)


def _agreement(report: ShadowReport) -> Iterable[str]:
    if report.agreement:
        yield "<h2>How alike the plans are</h2>"
        rows = [
            [escape(words), _figure(found), str(found.count)]
            for measure, words in AGREEMENT_WORDS.items()
            if (found := report.agreement.get(measure))
        ]
        yield _table(["", "mean", "tasks"], rows)


def _differences(report: ShadowReport) -> Iterable[str]:
    if not report.differences or report.second is None:
        return
    yield f"<h2>Planned differently: {counted(report.differing, 'task')}</h2>"
    names = {"first": report.first.name, "second": report.second.name}
    rows = [
        [
            escape(each.task),
            escape(" → ".join(each.first)),
            escape(" → ".join(each.second)),
            escape(names.get(each.right, each.right)),
        ]
        for each in report.differences
    ]
    yield _table(["task", escape(report.first.name), escape(report.second.name), "right"], rows)
    if report.differing > len(rows):
        yield f'<p class="dim">The first {len(rows)} of them.</p>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _figure(found: Figure, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    around = f"({found.low:{sign}.3f} to {found.high:{sign}.3f})"
    return f"{found.mean:{sign}.3f} <small>{around}</small>"


def _quartiles(found: Quartiles | None, digits: int) -> str:
    if found is None:
        return "–"
    return f"{found.median:.{digits}f} <small>({found.low:.{digits}f} to {found.high:.{digits}f})</small>"
