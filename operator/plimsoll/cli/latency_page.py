"""A page about a checked profile that needs nothing else: text, tables, charts as SVG. No scripts, no fonts to load.

In: sentences, tables and panels. Out: HTML. Colours follow the reader's light or dark setting.
"""

from collections.abc import Iterator, Sequence
from html import escape

from plimsoll.cli.latency_chart import Panel, ticks

Table = tuple[Sequence[str], Sequence[Sequence[str]]]

_WIDTH, _HEIGHT = 640.0, 240.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 16.0, 12.0, 48.0

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --quiet: #5b6570; --line: #d5dae0; --paper: #fff;
  --good: #1a7f4b; --bad: #c62f2f; --limit: #b26a00; --safe: #1f6feb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --quiet: #9aa4af; --line: #3a424c; --paper: #14181d;
  --good: #4cc38a; --bad: #ff7b72; --limit: #e3a04b; --safe: #79b0ff; } }
body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 62rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; margin-bottom: .3rem } h2 { font-size: 1rem; margin: 1.8rem 0 .4rem }
p { margin: .2rem 0 } .quiet { color: var(--quiet) } .verdict { font-weight: 600; margin-top: .8rem }
.bad { color: var(--bad) }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: 0 2rem }
.scroll { overflow-x: auto } svg { width: 100%; height: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .9rem .2rem 0; text-align: right; white-space: nowrap }
th { color: var(--quiet); font-weight: 500; border-bottom: 1px solid var(--line) }
text { fill: var(--quiet); font: 12px system-ui, sans-serif }
"""


def page(
    title: str,
    about: Sequence[str],
    verdict: Sequence[tuple[str, bool]],
    panels: Sequence[Panel],
    tables: Sequence[tuple[str, Table]],
    notes: Sequence[str],
) -> str:
    """The whole page.

    Args:
        title: the heading.
        about: what is told first.
        verdict: sentences, and whether each is good news.
        panels: the charts.
        tables: each under its heading.
        notes: what is told last.
    """
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{escape(title)}</h1>",
            *(f'<p class="quiet">{escape(line)}</p>' for line in about),
            *(f'<p class="verdict{_tone(good)}">{escape(line)}</p>' for line, good in verdict),
            '<div class="panels">',
            *(
                f"<section><h2>{escape(panel.title)}</h2>{_svg(panel, place)}</section>"
                for place, panel in enumerate(panels)
            ),
            "</div>",
            *(f'<h2>{escape(name)}</h2><div class="scroll">{_table(table)}</div>' for name, table in tables),
            "<h2>Notes</h2>",
            *(f"<p>{escape(line)}</p>" for line in notes),
            "</body></html>\n",
        ]
    )


def _table(table: Table) -> str:
    header, rows = table
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: str) -> str:
    return f"<td{' class=bad' if value == 'MISSED' else ''}>{escape(value)}</td>"


def _tone(good: bool) -> str:
    return "" if good else " bad"


def _svg(panel: Panel, place: int) -> str:
    label = escape(panel.title, quote=True)
    marks = "".join(_marks(panel, place))
    return f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="{label}">{marks}</svg>'


def _marks(panel: Panel, place: int) -> Iterator[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    limit_y = _y(panel, panel.limit_ms)
    for load in ticks(panel.right):
        yield f'<text x="{_x(panel, load):.1f}" y="{bottom + 22:g}" text-anchor="middle">{load:g}</text>'
    yield f'<text x="{right:g}" y="{bottom + 40:g}" text-anchor="end">req/s of one replica</text>'
    for value_ms in (0.0, panel.limit_ms, panel.top_ms):
        y = _y(panel, value_ms)
        yield f'<text x="{_LEFT - 8:g}" y="{y + 4:.1f}" text-anchor="end">{value_ms:.4g}ms</text>'
    yield f'<path d="M{_LEFT:g} {_TOP:g}V{bottom:g}H{right:g}" fill="none" stroke="var(--line)"/>'
    yield (
        f'<path d="M{_LEFT:g} {limit_y:.1f}H{right:g}" stroke="var(--limit)" stroke-dasharray="6 4"/>'
        f'<text x="{_LEFT + 6:g}" y="{limit_y - 5:.1f}">limit</text>'
    )
    if panel.safe is not None and panel.safe <= panel.right:
        x = _x(panel, panel.safe)
        yield f'<path d="M{x:.1f} {_TOP:g}V{bottom:g}" stroke="var(--safe)" stroke-dasharray="2 3"/>'
        yield f'<text x="{x - 5:.1f}" y="{_TOP + 10:g}" text-anchor="end">safe {panel.safe:.3g}</text>'
    # The part above the limit in red: the same curve twice, cut at the limit.
    for part, top, height in (("bad", 0.0, limit_y), ("good", limit_y, bottom + 2.0 - limit_y)):
        clip = f"{part}-{place}"
        yield f'<clipPath id="{clip}"><rect x="0" y="{top:.1f}" width="{_WIDTH:g}" height="{height:.1f}"/></clipPath>'
        yield (
            f'<path d="{_path(panel)}" clip-path="url(#{clip})" fill="none" stroke="var(--{part})" stroke-width="2" '
            'stroke-linejoin="round"/>'
        )
    for load in panel.asked:
        x = _x(panel, load)
        yield f'<path d="M{x:.1f} {bottom:g}l-5 9h10z" fill="var(--ink)"><title>asked: {load:g} req/s</title></path>'


def _path(panel: Panel) -> str:
    """The curve up to where it leaves the scale."""
    drawn: list[tuple[float, float]] = []
    for load, value_ms in panel.points:
        if value_ms > panel.top_ms and drawn:
            load0, value0_ms = drawn[-1]
            share = (panel.top_ms - value0_ms) / (value_ms - value0_ms)
            drawn.append((load0 + share * (load - load0), panel.top_ms))
            break
        drawn.append((load, value_ms))
    return "M" + "L".join(f"{_x(panel, load):.1f} {_y(panel, value_ms):.1f}" for load, value_ms in drawn)


def _x(panel: Panel, load: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * load / panel.right


def _y(panel: Panel, value_ms: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1.0 - value_ms / panel.top_ms)
