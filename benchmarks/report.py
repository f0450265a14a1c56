"""Creates ``RESULTS.md`` and the figures from ``results.json`` alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from .figures import composition_figure, gate_figure, lag_figure, many_figure
from .tables import (
    asset_tables,
    cold_tables,
    deployment_tables,
    gate_tables,
    idle_tables,
    lag_tables,
    many_tables,
    plan_tables,
    synth_tables,
    table,
    wait_tables,
)
from .targets import Target, targets
from .texts import INTRODUCTION, SUMMARY, TITLE, WORSE

__all__ = ["figures", "load", "render", "save", "write"]

Json = dict[str, Any]
Value: TypeAlias = Any  # whatever JSON holds
HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
REPORT = HERE / "RESULTS.md"

SECTIONS: dict[str, tuple[str, Callable[[Json], str]]] = {
    "lag": ("1. Detection lag and cost", lag_tables),
    "idle": ("2. Nothing to do", idle_tables),
    "cold": ("3. Cold start", cold_tables),
    "synth": ("4. Synth", synth_tables),
    "asset": ("5. Asset", asset_tables),
    "deployment": ("6. Whole deployment", deployment_tables),
    "many": ("7. Many at once", many_tables),
    "plan": ("8. The command's plan", plan_tables),
    "gate": ("9. The gate with a stated error", gate_tables),
    "wait": ("10. Waiting", wait_tables),
}


def load() -> Json:
    """Return the results so far."""
    found: Json = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return found


def save(results: Json) -> None:
    """Save the results."""
    RESULTS.write_text(json.dumps(_rounded(results), indent=1) + "\n")


def write(results: Json) -> None:
    """Write the report and the figures."""
    results = _rounded(results)
    REPORT.write_text(render(results))
    for name, content in figures(results).items():
        (HERE / name).write_text(content)


def render(results: Json) -> str:
    """Return the report."""
    parts = [TITLE, INTRODUCTION]
    if found := targets(results):
        parts.insert(1, _summary(found))
        rows = [[one.what, one.least, one.measured, one.verdict] for one in found]
        parts.append("## Targets\n\n" + table(["what", "target", "result", ""], rows))
    for name, (title, tables) in SECTIONS.items():
        if name in results:
            quick = ", few runs (`--quick`)" if results[name]["quick"] else ""
            parts.append(f"## {title}\n\n`python -m benchmarks {name}`{quick}\n")
            parts.append(tables(results[name]))
    parts.append(WORSE)
    if "machine" in results:
        rows = [[name, value] for name, value in results["machine"].items()]
        parts.append("## Machine and versions\n\n" + table(["", ""], rows))
    return "\n".join(parts)


def _summary(found: list[Target]) -> str:
    """Return the headline targets and all that are missed."""
    met = sum(one.is_met for one in found)
    rows = [
        [one.what, one.least, one.measured, one.verdict, _link(one.section)]
        for one in found
        if one.is_headline or not one.is_met
    ]
    head = ["what", "target", "result", "", "section"]
    return SUMMARY.format(met=met, all=len(found)) + "\n" + table(head, rows)


def _link(name: str) -> str:
    """Return a link to a section, as GitHub and the site make its anchor."""
    title = SECTIONS[name][0]
    number = title.partition(".")[0]
    anchor = re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
    return f"[{number}](#{anchor})"


def figures(results: Json) -> dict[str, str]:
    """Return the figures by file name."""
    made = {}
    if "lag" in results:
        made["lag.svg"] = lag_figure(results["lag"])
    if "cold" in results:
        made["cold_start.svg"] = composition_figure(results["cold"])
    if "many" in results:
        made["many.svg"] = many_figure(results["many"])
    if "gate" in results:
        made["gate.svg"] = gate_figure(results["gate"])
    return made


def _rounded(value: Value) -> Value:
    """Round to six significant digits, so that the file and the report have the same numbers."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {str(name): _rounded(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
