"""The style sheet of the page: light, for wide screens, phones and A4."""

from remedis.reporting.figures import RED

CSS = f"""
:root {{ color-scheme: light; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: #fff; color: #1a1a1a; line-height: 1.5;
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }}
main {{ max-width: 88rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }}
h1 {{ font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; }}
h2 {{ font-size: 1.35rem; margin: 2.75rem 0 .5rem; padding-top: .75rem;
  border-top: 1px solid #d0d0d0; }}
h3 {{ font-size: 1.05rem; margin: 1.5rem 0 .25rem; }}
h1, h2, h3, p, li, dd, figcaption {{ overflow-wrap: anywhere; }}
th, td, caption {{ overflow-wrap: break-word; }}
p, ul, dl, pre {{ margin: .5rem 0; }}
p, li {{ max-width: 46rem; }}
.note, caption {{ color: #555; }}
.side {{ display: flex; flex-wrap: wrap; gap: 0 3rem; }}
.alarm {{ color: {RED}; font-weight: 700; }}
.answer {{ margin: 1.25rem 0; padding: .75rem 1.25rem; background: #f3f6f9;
  border-left: 5px solid #0072b2; font-size: 1.15rem; }}
.answer p {{ max-width: 62rem; }}
.curves, .labels {{ display: grid; gap: 1.25rem 2rem; }}
.curves {{ grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }}
.curves figure {{ max-width: 44rem; }}
.labels {{ grid-template-columns: repeat(auto-fill, minmax(min(100%, 16rem), 1fr)); }}
section > figure {{ max-width: 30rem; }}
figure {{ margin: 0; min-width: 0; }}
figure svg {{ display: block; width: 100%; height: auto; }}
figcaption {{ font-weight: 600; margin-bottom: .25rem; }}
.scroll {{ overflow-x: auto; margin: 1rem 0; max-width: 100%; }}
table {{ border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }}
caption {{ text-align: left; padding-bottom: .35rem; }}
caption span {{ display: inline-block; max-width: min(40rem, calc(100vw - 2.5rem)); }}
th, td {{ padding: .3rem 1.1rem .3rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid #e2e2e2; min-width: 5.5rem; }}
thead th {{ max-width: 11rem; border-bottom: 2px solid #888; vertical-align: bottom; }}
tbody th {{ font-weight: 500; min-width: 7.5rem; max-width: 16rem; }}
tr > :first-child, caption span {{ position: sticky; left: 0; background: #fff; }}
.words td {{ min-width: 7rem; }}
.estimates td {{ white-space: nowrap; }}
.numbers th, .numbers td {{ min-width: 4rem; }}
.numbers td, .numbers th + th {{ text-align: right; }}
.numbers tbody th {{ min-width: 10rem; }}
dl {{ display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .2rem 1.25rem; }}
dt {{ color: #555; }}
dd {{ margin: 0; }}
pre {{ padding: .75rem 1rem; background: #f3f3f3; white-space: pre-wrap;
  overflow-wrap: anywhere; font-size: .9rem; }}
@media (max-width: 40rem) {{
  main {{ padding: 1rem 1rem 3rem; }}
  h1 {{ font-size: 1.5rem; }}
  .answer {{ padding: .5rem 1rem; font-size: 1.05rem; }}
  dl {{ display: block; }}
  dt {{ margin-top: .5rem; }}
}}
@page {{ size: A4; margin: 15mm; }}
@media print {{
  body {{ font-size: 10pt; }}
  main {{ max-width: none; padding: 0; }}
  .answer {{ font-size: 11.5pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
  .curves {{ grid-template-columns: 1fr 1fr; gap: 1rem; }}
  .labels {{ grid-template-columns: 1fr 1fr 1fr; gap: .75rem 1rem; }}
  .scroll {{ overflow: visible; }}
  table {{ font-size: 8.5pt; width: 100%; }}
  .side {{ display: block; }}
  .estimates td {{ white-space: normal; }}
  tr > :first-child {{ position: static; }}
  th, td {{ min-width: 0 !important; padding-right: .6rem; }}
  thead {{ display: table-header-group; }}
  .scroll, tr, figure, .arm, .answer, pre {{ break-inside: avoid; }}
  p {{ break-inside: avoid; }}
  h2, h3, caption, section > p, section > figure {{ break-after: avoid; }}
}}
"""
