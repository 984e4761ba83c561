"""How our pages look: light or dark as the reader's system says, and on paper."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ink: #1b2a41; --soft: #56657b; --paper: #ffffff; --card: #f5f7fa;
  --line: #d7dee8; --accent: #0b7285; --ok: #0a6b42; --bad: #b42318; --wait: #8a5a00; --doubt: #7a3aa3;
  --idle: #56657b; --info: #1d5fbf; --okbg: #e3f4ea; --badbg: #fdeae8; --waitbg: #fcf1d9; --doubtbg: #f3e8fa;
  --idlebg: #eceff4; --infobg: #e6effb; --call: #4c86d9; --model: #b39ddb; --plan: #3aa6b9; --step: #aab6c6;
  --pause: #e9edf3; --inbar: #10213a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4eaf2; --soft: #9fb0c5; --paper: #10161f;
  --card: #18212d; --line: #2d3a4b; --accent: #5cc8da; --ok: #63cf95; --bad: #ff8b80; --wait: #f0bd5b;
  --doubt: #cf9cf0; --idle: #9fb0c5; --info: #84b4f7; --okbg: #12301f; --badbg: #3a1a18; --waitbg: #35280d;
  --doubtbg: #2c1a3a; --idlebg: #232e3c; --infobg: #172a45; --call: #6fa3ea; --model: #9c86cc; --plan:
  #4bb3c5;
  --step: #5b6b80; --pause: #1d2733; --inbar: #08101b; } }
* { box-sizing: border-box; }
html { font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; color: var(--ink);
  background: var(--paper); }
body { max-width: 68rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; padding-bottom: .3rem; border-bottom: 2px solid
  var(--line); }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
h4 { font-size: .9rem; margin: .9rem 0 .35rem; }
p { margin: .5rem 0; }
a { color: var(--accent); }
a:focus-visible, summary:focus-visible, .wide:focus-visible { outline: 2px solid var(--accent); }
:target { outline: 2px solid var(--accent); outline-offset: 3px; border-radius: 4px; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace;
  font-size: .86em; }
pre { margin: .35rem 0; padding: .55rem .7rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; white-space: pre-wrap; unicode-bidi: isolate; max-height: 32rem; overflow: auto; }
.note, .small { color: var(--soft); font-size: .875rem; }
.bare { margin: 0; padding: 0; list-style: none; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 1rem 0 0; padding: 0; list-style: none;
  font-size: .92rem; }
.badge { display: inline-block; padding: .05rem .55rem; border-radius: 999px; font-size: .82rem;
  font-weight: 600; white-space: normal; }
.badge.ok { color: var(--ok); background: var(--okbg); } .badge.bad { color: var(--bad); background:
  var(--badbg); }
.badge.wait { color: var(--wait); background: var(--waitbg); }
.badge.doubt { color: var(--doubt); background: var(--doubtbg); }
.badge.idle { color: var(--idle); background: var(--idlebg); }
.badge.info { color: var(--info); background: var(--infobg); }
.notice { margin: 1rem 0; padding: .7rem .9rem; border-left: 4px solid var(--wait); background: var(--waitbg);
  border-radius: 0 6px 6px 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.2rem, 1fr)); gap: .6rem;
  margin: 1.1rem 0 0; padding: 0; }
.figures > div { padding: .6rem .75rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; }
.figures dt { color: var(--soft); font-size: .8rem; } .figures dd { margin: 0; font-size: 1.2rem;
  font-weight: 600; }
.figures dd small { display: block; color: var(--soft); font-size: .76rem; font-weight: 400; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: .6rem 0; }
.facts dt { color: var(--soft); } .facts dd { margin: 0; min-width: 0; } .facts pre { margin: 0 0 .2rem; }
.wide { overflow-x: auto; margin: .5rem 0 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
caption { text-align: left; color: var(--soft); font-size: .82rem; padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0; border-bottom: 1px solid
  var(--line);
  overflow-wrap: break-word; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; } td code { white-space: nowrap; }
td.text, table.prose td { overflow-wrap: anywhere; }
details { margin: .35rem 0; } summary { cursor: pointer; color: var(--accent); font-size: .9rem; }
.answer { padding: .4rem 0; }
.claim { display: grid; grid-template-columns: minmax(0, 1fr) 15.5rem; gap: .25rem 1.25rem; padding: .45rem 0;
  border-bottom: 1px solid var(--line); }
.claim p { margin: 0; white-space: pre-wrap; unicode-bidi: isolate; } .claim .rests { font-size: .84rem; }
@media (max-width: 44rem) { .claim { grid-template-columns: 1fr; } .facts { grid-template-columns: 1fr; } }
mark { color: var(--bad); background: var(--badbg); border-bottom: 2px solid var(--bad); padding: 0 .15em; }
.stepcard { margin: 1rem 0; padding: .8rem 1rem; border: 1px solid var(--line); border-radius: 8px; }
.stepcard > h3 { margin-top: 0; }
.attempt { margin: .75rem 0 0; padding: .6rem .8rem; border-left: 4px solid var(--line); background:
  var(--card);
  border-radius: 0 6px 6px 0; }
.attempt.ok { border-left-color: var(--ok); } .attempt.bad { border-left-color: var(--bad); }
.attempt.wait { border-left-color: var(--wait); } .attempt.doubt { border-left-color: var(--doubt); }
.attempt h4 { margin-top: 0; } .attempt pre { background: var(--paper); }
svg { display: block; max-width: 100%; height: auto; margin: .25rem auto; }
svg.chart, svg.plot { font-size: 11.5px; } svg.chart { min-width: 46rem; }
svg.graph { max-width: none; }
svg text { fill: var(--ink); font-family: system-ui, "Segoe UI", Roboto, Arial, sans-serif; }
svg a { text-decoration: none; }
.box { fill: var(--card); stroke: var(--line); stroke-width: 1.5; }
.box.ok { stroke: var(--ok); fill: var(--okbg); } .box.bad { stroke: var(--bad); fill: var(--badbg); }
.box.wait { stroke: var(--wait); fill: var(--waitbg); } .box.doubt { stroke: var(--doubt); fill:
  var(--doubtbg); }
.box.info { stroke: var(--info); fill: var(--infobg); stroke-dasharray: 6 3; }
.graph text { font-size: 12.5px; } .graph .step { font-weight: 700; font-size: 14px; }
.graph .tool { font-family: ui-monospace, Menlo, Consolas, "Liberation Mono", monospace; font-size: 12px; }
svg text.agent, svg text.tick, svg text.inner, svg text.axis, .graph text.tool.idle { fill: var(--soft); }
svg text.ok { fill: var(--ok); } svg text.bad { fill: var(--bad); } svg text.wait { fill: var(--wait); }
svg text.doubt { fill: var(--doubt); } svg text.idle { fill: var(--idle); } svg text.info { fill:
  var(--info); }
.graph .mark { font-weight: 700; }
.arrow { fill: none; stroke: var(--soft); stroke-width: 1.6; } .arrowhead { fill: var(--soft); }
.grid { stroke: var(--line); stroke-width: 1; } .rule { stroke: var(--line); stroke-width: 1; }
.pause { fill: var(--pause); } .lane { font-weight: 600; } .lane.inner { font-weight: 400; }
.bar.step { fill: var(--step); } .bar.call { fill: var(--call); } .bar.exchange { fill: var(--model); }
.bar.planning { fill: var(--plan); } .bar.waiting { fill: var(--wait); opacity: .55; }
.bar.bad { fill: var(--bad); } .bar.doubt { fill: var(--doubt); }
svg text.inbar { fill: var(--inbar); } svg text.inbar.dark { fill: var(--paper); } .moment { fill:
  var(--ink); }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; color: var(--soft); font-size: .84rem; }
.key::before { content: ""; display: inline-block; width: .8em; height: .8em; margin-right: .35em;
  border-radius: 2px; background: var(--line); vertical-align: -.05em; }
.key.planning::before { background: var(--plan); } .key.step::before { background: var(--step); }
.key.call::before { background: var(--call); } .key.exchange::before { background: var(--model); }
.key.waiting::before { background: var(--wait); opacity: .55; } .key.bad::before { background: var(--bad); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 29rem), 1fr)); gap:
  1.25rem; }
figure { margin: 0; padding: .8rem .9rem; border: 1px solid var(--line); border-radius: 8px; min-width: 0; }
figcaption { font-weight: 600; font-size: .95rem; } figcaption small { display: block; color: var(--soft);
  font-weight: 400; font-size: .82rem; }
.plot .line { fill: none; stroke: var(--accent); stroke-width: 2; } .plot .dot { fill: var(--accent); }
.plot .line.second { stroke: var(--wait); } .plot .dot.second { fill: var(--wait); }
.plot .line.third { stroke: var(--bad); } .plot .dot.third { fill: var(--bad); }
.plot .band { stroke: var(--accent); stroke-width: 1.5; opacity: .55; } .plot .column { fill: var(--accent); }
.plot .hollow { fill: var(--paper); stroke: var(--accent); stroke-width: 2; }
td .plot { margin: .3rem 0; }
.plot .ideal { stroke: var(--soft); stroke-dasharray: 5 4; fill: none; } .plot .frame { stroke: var(--line); }
.key.first::before { background: var(--accent); } .key.second::before { background: var(--wait); }
.key.third::before { background: var(--bad); }
@media print { :root { color-scheme: light; } html { font-size: 11px; } body { max-width: none; padding: 0; }
  nav { display: none; } .wide { overflow: visible; } pre { max-height: none; overflow: visible; }
  .stepcard, .attempt, figure, .claim { break-inside: avoid; } h2, h3 { break-after: avoid; }
  svg.chart { min-width: 0; } svg.graph { max-width: 100%; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
