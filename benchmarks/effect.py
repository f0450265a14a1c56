"""What the redesign of the handler changed: the same figures before it and now.

``before.json`` has the figures of the last run before it. It is not measured again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["BEFORE", "before_requests", "effect_rows", "key_figures"]

Json = dict[str, Any]
BEFORE = Path(__file__).with_name("before.json")


def effect_rows(results: Json) -> list[list[str]]:
    """Return figure, value before and value now, as far as there are results."""
    before: Json = json.loads(BEFORE.read_text())
    return [[name, before[name], now] for name, now in key_figures(results).items()]


def before_requests() -> Json:
    """Return the calls of each kind of request before the function looked once and decided once."""
    found: Json = json.loads(BEFORE.read_text())["requests"]
    return found


def key_figures(results: Json) -> dict[str, str]:
    """Return the figures to compare, as text by name."""
    found: dict[str, str] = {}
    for name, figures in _FIGURES.items():
        if name in results:
            found |= figures(results[name])
    return found


def _lag(lag: Json) -> dict[str, str]:
    ours = [row for row in lag["rows"] if row["contestant"] == "ours"]
    (stop,) = (row for row in ours if (row["stop"], row["how"]) == ("14 min", "virtual time"))
    return {
        "lag p50, the longest of all stops": f"{max(row['lag_p50'] for row in ours):.2f} s",
        "lag p99, the longest of all stops": f"{max(row['lag_p99'] for row in ours):.2f} s",
        "AWS calls, stop of 14 min": f"{stop['calls']:.0f}",
        "US$, stop of 14 min": f"{stop['dollars']:.6f}",
    }


def _many(many: Json) -> dict[str, str]:
    (row,) = (
        row
        for row in many["rows"]
        if (row["contestant"], row["rate"]) == ("ours", 5.0) and row.get("experiments", 40) == 40
    )
    return {
        "forty at once, 5 calls a second: longest lag": f"{row['lag_max']:.1f} s",
        "forty at once, 5 calls a second: failed": str(row["failed"]),
    }


def _cold(cold: Json) -> dict[str, str]:
    answer = cold["ratios"]["crhelper / ours, first answer"]
    return {
        "crhelper / ours, import, CPU": _times(cold["ratios"]["crhelper / ours, import"]["cpu"]),
        "crhelper / ours, first answer, CPU": _times(answer["cpu"]),
        "crhelper / ours, first answer, peak memory": _times(answer["peak_mb"]),
    }


def _synth(synth: Json) -> dict[str, str]:
    return {
        f"synth to an empty app's, CPU, {row['contestant']}": _times(row["cpu_ratio"])
        for row in synth["one"]
        if row["contestant"] in ("ours", "AwsCustomResource")
    }


def _asset(asset: Json) -> dict[str, str]:
    (ours,) = (row for row in asset["assets"] if row["contestant"] == "ours")
    return {"asset, zipped": f"{ours['zipped_bytes']:,} bytes"}


def _deployment(deployment: Json) -> dict[str, str]:
    return {
        f"AwsCustomResource / ours, {phase}": _times(ratio)
        for phase, ratio in deployment["ratios"].items()
    }


def _times(one: Json) -> str:
    return f"{one['median']:.2f} x"


_FIGURES = {
    "lag": _lag,
    "many": _many,
    "cold": _cold,
    "synth": _synth,
    "asset": _asset,
    "deployment": _deployment,
}
