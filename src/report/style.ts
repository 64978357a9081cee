// SPDX-License-Identifier: MIT
// The one style sheet, for screen and paper. Light background, text at 4.5:1 contrast or more, tables with aligned digits.

export const STYLE = `
:root { --ink: #1b2733; --soft: #52606d; --line: #d9e0e6; --panel: #f5f7f9; --accent: #0072b2; color-scheme: light; }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0; background: #fff; color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", Arial, sans-serif; }
main, header, nav, footer { max-width: 62rem; margin-inline: auto; padding-inline: 1.5rem; }
header { padding-top: 2.5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 3rem 0 .75rem; padding-top: .9rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1.02rem; margin: 1.75rem 0 .5rem; }
p { max-width: 46rem; margin: .5rem 0; }
.byline, .small { color: var(--soft); font-size: .875rem; }
.notice { display: inline-block; margin: .75rem 0 0; padding: .2rem .7rem; border: 1px solid #b35900; border-radius: 3px; color: #8a4500;
  font-size: .875rem; font-weight: 600; }
a { color: var(--accent); }
nav ol { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; margin: 1.25rem 0 0; padding: .6rem 0;
  border-block: 1px solid var(--line); font-size: .9rem; }
.verdict { font-size: 1.2rem; line-height: 1.5; max-width: 52rem; margin: 1.75rem 0 1rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; margin: 1rem 0; }
.tile { background: var(--panel); border-left: 3px solid var(--accent); padding: .7rem .9rem; }
.tile b { display: block; font-size: 1.6rem; line-height: 1.2; font-weight: 650; font-variant-numeric: tabular-nums; white-space: nowrap; }
.tile span { display: block; font-size: .82rem; color: var(--soft); }
figure { margin: 1.25rem 0 1.75rem; }
figcaption { margin-top: .5rem; max-width: 52rem; font-size: .875rem; color: var(--soft); line-height: 1.5; }
figure svg { max-width: 100%; height: auto; overflow: visible; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); gap: 0 2rem; align-items: start; }
.pair figure { margin-bottom: .75rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; width: 100%; margin: .5rem 0; }
caption { text-align: left; font-size: .875rem; color: var(--soft); padding-bottom: .4rem; max-width: min(52rem, calc(100vw - 3rem)); }
caption { position: sticky; left: 0; }
th, td { padding: .35rem .45rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; vertical-align: baseline; }
thead th { white-space: normal; border-bottom: 1.5px solid var(--ink); font-weight: 600; vertical-align: bottom; }
th small, td small { display: block; font-weight: 400; font-size: .78rem; color: var(--soft); }
th:first-child, td.text { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 7rem; }
table.cases th:first-child { min-width: 13rem; }
table.compared th:first-child { min-width: 10rem; }
table.compared small { white-space: nowrap; }
th.text { text-align: left; }
tbody th { font-weight: 500; }
tr.total > * { border-top: 1.5px solid var(--ink); font-weight: 600; }
tr:target > * { background: #fff4d6; }
ul.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.25rem; list-style: none; margin: .4rem 0 0; padding: 0; font-size: .875rem; }
.key { display: inline-block; width: 1.1rem; height: .8rem; margin-right: .45rem; background: var(--key); vertical-align: -.05rem; }
.key.line, .key.dashed { height: 0; background: none; border-top: 3px solid var(--key); vertical-align: .25rem; }
.key.dashed { border-top-style: dashed; }
details { margin: .75rem 0; }
summary { cursor: pointer; font-weight: 500; }
pre { background: var(--panel); padding: .8rem 1rem; overflow-x: auto;
  font: .82rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; }
code { font: .85em ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; margin: .75rem 0; font-size: .925rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.case { margin: 1.75rem 0; }
.case h3 { margin-bottom: .1rem; overflow-wrap: anywhere; }
.views { display: grid; grid-template-columns: 6rem repeat(3, minmax(0, 14rem)); gap: .3rem; margin-top: .6rem; }
.views .head { font-size: .82rem; color: var(--soft); align-self: end; }
.views .side { font-size: .82rem; color: var(--soft); align-self: center; }
.views svg { display: block; width: 100%; background: #000; break-inside: avoid; }
.turned { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: .5rem 1.25rem; }
.turned .small { margin: 0 0 .2rem; overflow-wrap: anywhere; }
.beside { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .3rem; }
.beside svg, .beside canvas { display: block; width: 100%; aspect-ratio: 1; background: var(--panel); }
.beside canvas { cursor: grab; touch-action: none; }
.beside canvas[hidden] { display: none; }
.beside canvas:focus-visible { outline: 2px solid var(--accent); }
ul.notes { margin: .5rem 0; padding-left: 1.2rem; max-width: 52rem; font-size: .875rem; }
td strong { font-weight: 750; }
footer { margin-top: 3rem; padding-bottom: 3rem; color: var(--soft); font-size: .85rem; }
footer p { max-width: none; padding-top: 1rem; border-top: 1px solid var(--line); }
@media (max-width: 40rem) { .turned { grid-template-columns: 1fr; } .pair { grid-template-columns: 1fr; }
  .views { grid-template-columns: repeat(3, 1fr); } .views .side, .views .corner { grid-column: 1 / -1; }
  .views .corner { display: none; } }
@media print {
  @page { margin: 16mm 14mm; }
  body { font-size: 10.5pt; }
  nav, .beside canvas, .turned-hint { display: none; }
  main, header, footer { max-width: none; padding-inline: 0; }
  a { color: inherit; text-decoration: none; }
  h2, h3, caption, thead { break-after: avoid; }
  h2 { margin-top: 1.6rem; }
  figure, tr, .case, pre { break-inside: avoid; }
  .views { grid-template-columns: 5.5rem repeat(3, minmax(0, 10.5rem)); }
  .scroll { overflow: visible; }
  .pair { grid-template-columns: 1fr 1fr; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
