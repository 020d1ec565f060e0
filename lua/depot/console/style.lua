--- The style sheet of the console.
--
-- Pure.
--
-- @module depot.console.style

return [[
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #d0d7de; --soft: #f6f8fa; --link: #0550ae;
  --good: #116329; --bad: #a40e26; --dull: #57606a;
  --c1: #0969da; --c2: #bc4c00; --c3: #1a7f37; --c4: #8250df; --c5: #9a6700; --c6: #6e7781; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --line: #3d444d; --soft: #161b22;
  --link: #79c0ff; --good: #7ee787; --bad: #ffa198; --dull: #9198a1;
  --c1: #58a6ff; --c2: #f0883e; --c3: #3fb950; --c4: #bc8cff; --c5: #d29922; --c6: #8b949e; } }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--paper); line-height: 1.5;
  font-family: system-ui, "Noto Sans CJK SC", "WenQuanYi Zen Hei", sans-serif; }
header, main, footer { max-width: 72rem; margin: 0 auto; padding: 0.5rem 1rem; }
header { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center; border-bottom: 1px solid var(--line); }
header p, header ul { margin: 0; }
nav ul, .tabs { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; padding: 0; margin: 0; list-style: none; }
.brand { font-weight: bold; }
.who { margin-left: auto; display: flex; gap: 0.5rem; align-items: center; }
a { color: var(--link); }
a[aria-current] { color: var(--ink); font-weight: bold; text-decoration: none; border-bottom: 2px solid var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
h1 { font-size: 1.5rem; margin: 0.5rem 0; }
h2 { font-size: 1.15rem; margin: 1.5rem 0 0.5rem; }
.scroll { overflow-x: auto; margin-bottom: 0.5rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.35rem 0.75rem 0.35rem 0;
  border-bottom: 1px solid var(--line); }
th { color: var(--dull); font-weight: normal; white-space: nowrap; }
td { overflow-wrap: anywhere; min-width: 4rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 1rem; }
dt { color: var(--dull); }
dd { margin: 0; overflow-wrap: anywhere; }
label { display: block; }
small { color: var(--dull); display: block; }
input, select, textarea, button, .button { font: inherit; color: inherit; background: var(--paper);
  border: 1px solid var(--line); border-radius: 4px; padding: 0.35rem 0.6rem; max-width: 100%; }
input:not([type=hidden]), textarea, select { min-width: min(20rem, 100%); }
input[type=checkbox]:not([type=hidden]) { min-width: 0; }
fieldset { border: 1px solid var(--line); border-radius: 4px; margin: 0.5rem 0; padding: 0.35rem 0.75rem; }
fieldset label { display: inline-block; margin-right: 1rem; }
.search input:not([type=hidden]) { min-width: min(17.5rem, 70vw); }
.search { display: flex; gap: 0.25rem; }
button, .button { background: var(--soft); cursor: pointer; text-decoration: none; display: inline-block; }
.stop, .danger button { border-color: var(--bad); }
.stop button { border-color: var(--bad); color: var(--bad); font-weight: bold; }
button + button { margin-left: 0.25rem; }
button:disabled { color: var(--dull); border-style: dashed; cursor: not-allowed; }
.field { margin: 0.5rem 0; }
details.ask > summary { font: inherit; background: var(--soft); border: 1px solid var(--line); border-radius: 4px;
  padding: 0.35rem 0.6rem; cursor: pointer; display: inline-block; list-style: none; }
details.ask > summary::-webkit-details-marker { display: none; }
details.ask[open] { border: 1px solid var(--line); border-radius: 4px; padding: 0.5rem; max-width: 36rem; }
details.stop > summary, details.stop button { border-color: var(--bad); color: var(--bad); font-weight: bold; }
progress, meter { width: 6rem; height: 0.9rem; accent-color: var(--good); }
progress, meter { vertical-align: middle; max-width: 100%; }
progress[hidden] { display: none; }
.acts { display: flex; flex-wrap: wrap; gap: 0.25rem; }
.acts + .ask { margin-top: 0.25rem; }
.act { margin: 0.5rem 0; }
.drop { color: var(--dull); margin: 0.25rem 0; }
.over { outline: 3px dashed var(--link); outline-offset: 4px; }
.inline, .who form { margin: 0; display: inline; }
.inline button { white-space: nowrap; }
.steps { background: var(--soft); padding: 0.25rem 0.75rem; margin: 0.5rem 0; }
.needs { padding: 0; list-style: none; }
.needs li { border-left: 4px solid var(--bad); padding: 0.25rem 0.75rem; margin: 0.5rem 0; background: var(--soft); }
.good { color: var(--good); }
.bad, .s-failed, .s-reverted { color: var(--bad); }
.s-succeeded { color: var(--good); }
.big { font-size: 1.25rem; margin: 0.25rem 0; overflow-wrap: anywhere; }
.news { background: var(--soft); padding: 0.35rem 0.75rem; }
.stages .good { color: var(--good); }
.stages { display: flex; flex-wrap: wrap; gap: 0.5rem; padding: 0; list-style: none; counter-reset: stage; }
.stages li { counter-increment: stage; border: 1px solid var(--line); border-radius: 1rem; padding: 0.1rem 0.75rem; }
.stages li::before { content: counter(stage) ". "; }
.stages li[aria-current] { border-color: var(--link); }
.stages [aria-current] { font-weight: bold; }
.waves { width: 12rem; max-width: 100%; height: 0.75rem; display: block; }
.waves .open { fill: var(--good); }
.waves .shut { fill: var(--line); }
.chart { margin: 0.5rem 0; }
.chart > svg { width: 100%; height: 8rem; display: block; border-bottom: 1px solid var(--dull); }
.chart path { stroke: var(--paper); stroke-width: 1; vector-effect: non-scaling-stroke; }
.chart .span { display: flex; gap: 0.5rem; justify-content: space-between; margin: 0; color: var(--dull); }
.span span:nth-child(odd) { white-space: nowrap; }
.legend { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; padding: 0; margin: 0.25rem 0; list-style: none; }
.key { width: 0.8rem; height: 0.8rem; }
.c1 { fill: var(--c1); } .c2 { fill: var(--c2); } .c3 { fill: var(--c3); } .c4 { fill: var(--c4); }
.c5 { fill: var(--c5); } .c6 { fill: var(--c6); }
pre { background: var(--soft); padding: 0.75rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.skip { position: absolute; left: -99rem; }
.skip:focus { position: static; }
[hidden] { display: none; }
footer { border-top: 1px solid var(--line); margin-top: 2rem; }
@media (max-width: 40rem) {
  .scroll table, .scroll tbody, .scroll tr { display: block; }
  .scroll thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .scroll tr { border-bottom: 1px solid var(--line); padding: 0.35rem 0; }
  .scroll td { display: block; border: 0; padding: 0.15rem 0; }
  .scroll td::before { content: attr(data-of); color: var(--dull); display: inline-block; width: 7rem; }
  .scroll td[data-of=""]::before { display: none; }
  .who { margin-left: 0; }
}
]]
