"""Figures as SVG, without a library: they only need lines, bars and text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10
from typing import Any

__all__ = ["composition_figure", "gate_figure", "lag_figure", "many_figure"]

Json = dict[str, Any]
WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 50, 60
COLOURS = ("#1b6ca8", "#e07a1f", "#4c9f50", "#8e5ea2", "#c0392b", "#8a8a8a")
GATE_COLOURS = (COLOURS[2], COLOURS[1], COLOURS[0], COLOURS[4], COLOURS[5])
LAG_SHOWN = ("ours", "provider framework", "crhelper")
LAG_TICKS = (0.1, 1.0, 10.0, 100.0)


def lag_figure(lag: Json) -> str:
    """Median and 99th percentile of the lag against the duration of the stop, simulated."""
    rows = [row for row in lag["rows"] if row["how"] == "simulated" and "up to" not in row["stop"]]
    longest = max(row["stop_seconds"] for row in rows)
    drawn = [_text(LEFT, 24, "Seconds from the end of the experiment to the answer", size=15)]
    for tick in LAG_TICKS:
        drawn.append(_line([(LEFT, _lag_y(tick)), (WIDTH - RIGHT, _lag_y(tick))], "#dddddd"))
        drawn.append(_text(LEFT - 8, _lag_y(tick) + 4, f"{tick:g} s", anchor="end"))
    for place, name in enumerate(LAG_SHOWN):
        own = [row for row in rows if row["contestant"] == name]
        for member, dashes in (("lag_p50", ""), ("lag_p99", "5 4")):
            points = [(_lag_x(row["stop_seconds"], longest), _lag_y(row[member])) for row in own]
            drawn.append(_line(points, COLOURS[place], dashes, width=2))
        drawn.append(_key(place, name, LEFT + 190 * place))
    drawn += [
        _text(_lag_x(stop, longest), HEIGHT - BOTTOM + 18, f"{stop / 60:g}", anchor="middle")
        for stop in sorted({row["stop_seconds"] for row in rows})
    ]
    note = "minutes that the stop takes (solid: median, dashed: 99th percentile; log scale)"
    drawn.append(_text(WIDTH / 2, HEIGHT - 8, note, anchor="middle"))
    return _svg(drawn)


def composition_figure(cold: Json) -> str:
    """CPU seconds of the import by part, with one bar per contestant."""
    bars = cold["composition"]
    longest = max(sum(parts.values()) for parts in bars.values())
    drawn = [
        _text(LEFT, 24, "CPU milliseconds of a cold start until the handler is imported", size=15)
    ]
    names = list(next(iter(bars.values())))
    for row, (name, parts) in enumerate(bars.items()):
        x, y = LEFT + 20.0, 110 + 110 * row
        drawn.append(_text(x - 10, y + 30, name, anchor="end"))
        for place, part in enumerate(names):
            width = parts[part] / longest * (WIDTH - LEFT - RIGHT - 90)
            drawn.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="50" '
                f'fill="{COLOURS[place]}"/>'
            )
            if width > 34:
                label = f"{parts[part] * 1000:.0f}"
                drawn.append(_text(x + width / 2, y + 30, label, anchor="middle", colour="#ffffff"))
            x += width
        drawn.append(_text(x + 8, y + 30, f"{sum(parts.values()) * 1000:.0f} ms"))
    for place, part in enumerate(names):
        drawn.append(_key(place, part, LEFT + 220 * (place % 3), 48 + 22 * (place // 3)))
    return _svg(drawn)


def many_figure(many: Json) -> str:
    """The cost of stopping many experiments at once, by the rate at which SageMaker throttles."""
    curves: dict[str, list[Json]] = {}
    for row in many["rows"]:
        if row["contestant"] == "ours":
            rate = row["rate"]
            name = "not throttled" if rate is None else f"{rate:g} calls a second"
            curves.setdefault(name, []).append(row)
    most = max(row["experiments"] for row in many["rows"])
    costs = [row["dollars"] for rows in curves.values() for row in rows]
    ticks = [10.0**power for power in range(floor(log10(min(costs))), ceil(log10(max(costs))) + 1)]

    def x(count: int) -> float:
        return LEFT + 20 + log10(count) / log10(most) * (WIDTH - LEFT - RIGHT - 60)

    def y(cost: float) -> float:
        share = log10(cost / ticks[0]) / log10(ticks[-1] / ticks[0])
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM - 20)

    drawn = [_text(LEFT, 24, "US$ to stop experiments at once, stops of 5 minutes", size=15)]
    for tick in ticks:
        drawn.append(_line([(LEFT, y(tick)), (WIDTH - RIGHT, y(tick))], "#dddddd"))
        drawn.append(_text(LEFT - 8, y(tick) + 4, f"{tick:g}", anchor="end"))
    for place, (name, rows) in enumerate(curves.items()):
        points = [(x(row["experiments"]), y(row["dollars"])) for row in rows]
        drawn.append(_line(points, COLOURS[place], width=2))
        drawn.append(_key(place, name, LEFT + 160 * place))
    drawn += [
        _text(x(count), HEIGHT - BOTTOM + 18, str(count), anchor="middle")
        for count in sorted({row["experiments"] for row in many["rows"]})
    ]
    note = "experiments stopped by one update (both scales are logarithmic)"
    drawn.append(_text(WIDTH / 2, HEIGHT - 8, note, anchor="middle"))
    return _svg(drawn)


def gate_figure(gate: Json) -> str:
    """The chance to be promoted by a number of requests, for better and worse shadows."""
    curves = {name: values for name, values in gate["curves"].items() if name != "requests"}
    requests: list[float] = gate["curves"]["requests"]
    top, last = TOP + 50, requests[-1]

    def x(count: float) -> float:
        return LEFT + count / last * (WIDTH - LEFT - RIGHT - 20)

    def y(percent: float) -> float:
        return HEIGHT - BOTTOM - percent / 100 * (HEIGHT - top - BOTTOM)

    title = "Promoted, of 100 tests, by a number of requests to the shadow variant"
    drawn = [_text(LEFT, 24, title, size=15)]
    for tick in range(0, 101, 20):
        drawn.append(_line([(LEFT, y(tick)), (WIDTH - RIGHT, y(tick))], "#dddddd"))
        drawn.append(_text(LEFT - 8, y(tick) + 4, str(tick), anchor="end"))
    promised = [(LEFT, y(5.0)), (WIDTH - RIGHT, y(5.0))]
    drawn.append(_line(promised, COLOURS[4], "2 3"))
    drawn.append(_text(LEFT + 6, y(5) - 5, "promised: at most 5", colour=COLOURS[4]))
    needed = gate["needed"]
    drawn.append(_line([(x(needed), y(0)), (x(needed), y(100))], COLOURS[1], "2 3"))
    forecast = f"forecast for 80: {needed:,}"
    drawn.append(_text(x(needed) + 6, y(50), forecast, colour=COLOURS[1]))
    for place, (name, values) in enumerate(curves.items()):
        # A gate that only compares is another kind of line: it promises nothing.
        colour, dashes = GATE_COLOURS[place], "5 4" if name.endswith("without confidence") else ""
        points = [(x(count), y(share)) for count, share in zip(requests, values, strict=True)]
        drawn.append(_line(points, colour, dashes, width=2))
        column, row = place % 3, place // 3
        at = LEFT + 215 * column, 46 + 20 * row
        drawn.append(_line([(at[0], at[1] - 4), (at[0] + 14, at[1] - 4)], colour, dashes, width=3))
        drawn.append(_text(at[0] + 20, at[1], name))
    drawn += [
        _text(x(count), HEIGHT - BOTTOM + 18, f"{count:,}", anchor="middle")
        for count in range(0, int(last) + 1, 50_000)
    ]
    note = "requests to the shadow variant, from 48 hours on; 5 of 10,000 fail, the bound is 5 more"
    drawn.append(_text(WIDTH / 2, HEIGHT - 8, note, anchor="middle"))
    return _svg(drawn)


def _lag_x(stop: float, longest: float) -> float:
    return LEFT + 10 + stop / longest * (WIDTH - LEFT - RIGHT - 30)


def _lag_y(lag: float) -> float:
    low, high = log10(LAG_TICKS[0]), log10(200.0)
    share = (log10(max(lag, LAG_TICKS[0])) - low) / (high - low)
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM - 20)


def _key(place: int, name: str, x: float, y: float = 46) -> str:
    box = f'<rect x="{x:.1f}" y="{y - 10:.1f}" width="12" height="12" fill="{COLOURS[place]}"/>'
    return box + _text(x + 18, y, name)


def _line(
    points: Sequence[tuple[float, float]], colour: str, dashes: str = "", width: int = 1
) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dash}/>'


def _text(
    x: float, y: float, text: str, *, size: int = 12, anchor: str = "start", colour: str = "#222222"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
        f'fill="{colour}">{escape(text)}</text>'
    )


def _svg(drawn: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" role="img">'
    )
    ground = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    return "\n".join([head, ground, *drawn, "</svg>", ""])
