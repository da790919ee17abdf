"""How reports look: as the node's own page does, by day, by night and on paper."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c1e21; --edge: #8884; --faint: #71757c;
  --mark: #1d8a5b; --bad: #c62f2f; --band: #c62f2f14; --strike: #d1495b; --healing: #e9a23b;
  --leveling: #8fb8de; --rate: #2a6fbb; --pending: #b3562b; --bar-ink: #fff; --soft: #8881; }
@media (prefers-color-scheme: dark) { :root { --paper: #16181c; --ink: #e4e6ea; --faint: #989ca4;
  --mark: #43c08a; --bad: #ff7272; --band: #ff72721a; --strike: #e0606f; --healing: #d99a3a;
  --leveling: #5f86ab; --rate: #6fa8e6; --pending: #e08a5c; --bar-ink: #16181c; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto;
  padding: 0 1.25rem; background: var(--paper); color: var(--ink); }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2.25rem 0 .5rem; }
p { margin: .4rem 0; max-width: 46rem; }
.faint { color: var(--faint); } .small { font-size: .86rem; }
code { font: .88em ui-monospace, monospace; overflow-wrap: anywhere; }
pre { background: var(--soft); padding: .6rem .8rem; border-radius: .4rem; white-space: pre-wrap;
  margin: .6rem 0; }
.verdict { display: flex; gap: 1rem; align-items: center; border: 1px solid var(--edge);
  border-left: .5rem solid var(--mark); border-radius: .5rem; padding: .8rem 1rem; margin: 1rem 0; }
.verdict b { font-size: 1.6rem; letter-spacing: .03em; color: var(--mark); }
.verdict.broken { border-left-color: var(--bad); } .verdict.broken b { color: var(--bad); }
.ok { color: var(--mark); font-weight: 600; white-space: nowrap; }
.bad { color: var(--bad); font-weight: 600; white-space: nowrap; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem; }
.card { border: 1px solid var(--edge); border-radius: .5rem; padding: .6rem .8rem;
  font-size: .86rem; }
.card b { display: block; font-size: 1.45rem; font-variant-numeric: tabular-nums; }
.card span { display: block; color: var(--faint); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 1rem 0; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 600; font-size: .86rem; color: var(--faint);
  padding: .2rem .6rem .3rem 0; vertical-align: bottom; }
td { padding: .35rem .6rem .35rem 0; vertical-align: top; border-top: 1px solid var(--edge);
  overflow-wrap: anywhere; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th.number { text-align: right; }
td.short { white-space: nowrap; overflow-wrap: normal; }
td ul { margin: .2rem 0 0; padding-left: 1.1rem; }
.wide { overflow-x: auto; } .wide td:last-child { min-width: 7.5rem; }
.wide.small td, .wide.small th { padding-right: .5rem; font-size: .8rem; }
.wide.small td.number { white-space: normal; }
.wide.small td.number:nth-child(8), .wide.small td.number:nth-child(9) { min-width: 8rem; }
svg { width: 100%; height: auto; display: block; margin: .5rem 0; }
svg text { font: 11px system-ui, sans-serif; fill: var(--ink); }
svg .faint { fill: var(--faint); } svg .name { font-weight: 600; font-size: 12px; }
svg .band { fill: var(--band); } svg .axis { stroke: var(--edge); fill: none; }
svg .lane { fill: var(--soft); }
svg .strike { fill: var(--strike); } svg .healing { fill: var(--healing); }
svg .leveling { fill: var(--leveling); } svg .bar-number { fill: var(--bar-ink); font-weight: 600; }
svg .endless { stroke: var(--bad); stroke-width: 2; stroke-dasharray: 3 2; }
svg .rate { fill: var(--rate); opacity: .85; } svg .pending { stroke: var(--pending);
  fill: var(--pending); fill-opacity: .18; stroke-width: 1.3; }
svg .goal { stroke: var(--bad); stroke-dasharray: 4 3; } svg .spread { stroke: var(--rate); }
svg .share { fill: var(--rate); }
@media print {
  :root { color-scheme: light; --paper: #fff; --ink: #000; --faint: #555; --mark: #176b47;
    --bad: #a61b1b; --strike: #d1495b; --healing: #e9a23b; --leveling: #8fb8de; --rate: #2a6fbb;
    --pending: #b3562b; --band: #c62f2f14; --bar-ink: #fff; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { margin: 0; max-width: none; font-size: 10.5pt; } tr, svg, .card { break-inside: avoid; }
  h2 { break-after: avoid; } .wide { overflow: visible; }
}
"""
