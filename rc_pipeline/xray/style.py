"""The looks of an X-ray's page: shape and underline say what colour says, so grey or colour-blind eyes miss nothing."""

from __future__ import annotations

STYLE = """\
:root {
  color-scheme: light dark;
  --ground: #fbfaf7; --card: #fff; --ink: #24231f; --quiet: #77746b; --line: #e3e0d8;
  --even: #f1efe9; --trained: #cfe3f7; --trained-even: #b9d5f0; --trained-line: #0b5cad;
  --cut: #fff0d4; --cut-line: #a35b00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #171614; --card: #1f1e1b; --ink: #e9e6df; --quiet: #9a968c; --line: #37352f;
    --even: #2a2824; --trained: #123a61; --trained-even: #1a4a79; --trained-line: #7dbcf5;
    --cut: #3d2c0f; --cut-line: #f0b255;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 68rem; background: var(--ground); color: var(--ink);
  font: 15px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .75rem; }
h2 { font-size: 1.1rem; margin: 2.25rem 0 .75rem; }
h2 small { font-weight: 400; color: var(--quiet); font-size: .85em; }
h3 { font-size: 1rem; margin: 0; }
article { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem 1.1rem;
  margin: 0 0 1rem; }
header { display: flex; justify-content: space-between; gap: 1rem; align-items: baseline; flex-wrap: wrap; }
code { color: var(--quiet); font-size: .8rem; overflow-wrap: anywhere; }
article p { margin: .35rem 0 .8rem; color: var(--quiet); font-size: .87rem; }
.legend { display: flex; flex-wrap: wrap; gap: .4rem 1.4rem; align-items: center; font-size: .87rem;
  color: var(--quiet); }
.legend label { color: var(--ink); margin-left: -1.1rem; }
.legend .tokens { color: var(--ink); margin-right: .2rem; }
.bar { display: flex; height: .5rem; margin: .6rem 0 0; border-radius: .25rem; overflow: hidden;
  border: 1px solid var(--line); }
.bar .masked { background: var(--quiet); opacity: .45; }
.bar .trained { background: var(--trained-line); }
.bar span { flex-basis: 0; }
.tokens { font: .85rem/1.75 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", "Noto Sans Mono CJK SC",
  "Noto Sans CJK SC", monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.t { unicode-bidi: isolate; padding: .12em 0; border-radius: .15em; }
.t:nth-child(even) { background: var(--even); }
mark { background: none; color: inherit; font-weight: 700; }
mark .t { background: var(--trained); border-bottom: 2px solid var(--trained-line); border-radius: 0; }
mark .t:nth-child(even) { background: var(--trained-even); }
.t i { color: var(--quiet); font-style: normal; }
.special { outline: 1px solid var(--quiet); outline-offset: -1px; padding: .12em .3em; margin: 0 .1em; }
mark .special { outline-color: var(--trained-line); }
.cut { background: repeating-linear-gradient(-45deg, var(--cut) 0 8px, transparent 8px 11px);
  border: 1px dashed var(--cut-line);
  border-radius: .25rem; padding: .1em .4em; margin: 0 .15em; color: var(--quiet); font-size: .92em; }
.cut b { color: var(--cut-line); }
.next { color: var(--trained-line); font-weight: 700; margin-left: .4em; }
.expected { border-left: 3px solid var(--trained-line); padding-left: .6rem; margin: .8rem 0 0 !important; }
.refused { border-left: 3px solid var(--cut-line); padding-left: .6rem; }
body:has(#ids:checked) article .t::after { content: attr(data-ids); font-size: .6rem; color: var(--quiet);
  font-weight: 400; vertical-align: super; margin: 0 .25em 0 .15em; }
:focus-visible { outline: 2px solid var(--trained-line); outline-offset: 2px; }
@media print { body { max-width: none; padding: 0; } article { break-inside: avoid; } * { print-color-adjust: exact; } }
"""
