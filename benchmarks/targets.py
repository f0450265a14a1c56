"""The targets, which were set before any measurement, and whether they are met."""

from __future__ import annotations

from typing import Any

__all__ = ["target_rows"]

Json = dict[str, Any]
P50, P99, FIRST, FURTHER, ZIPPED = 1.6, 3.2, 7, 2.0, 65_536
FASTER, SMALLER = 1.3, 0.75
FALSE, FORECAST = 5, (75, 90)


def target_rows(results: Json) -> list[list[str]]:
    """Return target, measured value and verdict for the existing results."""
    rows: list[tuple[str, str, bool]] = []
    for name, make in _TARGETS.items():
        if name in results:
            rows += make(results[name])
    return [[target, value, "met" if is_met else "**missed**"] for target, value, is_met in rows]


def _lag(lag: Json) -> list[tuple[str, str, bool]]:
    ours = [row for row in lag["rows"] if row["contestant"] == "ours"]
    p50, p99 = (max(row[member] for row in ours) for member in ("lag_p50", "lag_p99"))
    pairs = list(_priced(lag))
    worst = max(pairs, key=lambda pair: pair[1] / pair[2])
    return [
        (f"lag p50 ≤ {P50} s for every stop up to 55 minutes", f"{p50:.2f} s at most", p50 <= P50),
        (f"lag p99 ≤ {P99} s for every stop up to 55 minutes", f"{p99:.2f} s at most", p99 <= P99),
        (
            "a stop costs no more than the provider framework's",
            f"at most {worst[1] / worst[2]:.2f} times as much (stop of {worst[0]})",
            worst[1] <= worst[2],
        ),
    ]


def _priced(lag: Json) -> list[tuple[str, float, float]]:
    by_stop: dict[str, dict[str, float]] = {}
    for row in lag["rows"]:
        if row["how"] == "simulated":
            by_stop.setdefault(row["stop"], {})[row["contestant"]] = row["dollars"]
    return [(stop, one["ours"], one["provider framework"]) for stop, one in by_stop.items()]


def _idle(idle: Json) -> list[tuple[str, str, bool]]:
    ours = next(row for row in idle["rows"] if row["contestant"] == "ours")
    met = ours["invocations"] == 1 and not ours["made_rule"]
    value = f"{ours['invocations']} invocation, {'a' if ours['made_rule'] else 'no'} rule"
    return [("nothing to do: one invocation, no rule", value, met)]


def _cold(cold: Json) -> list[tuple[str, str, bool]]:
    rows = []
    for name, one in cold["ratios"].items():
        if not name.startswith("crhelper / ours"):
            continue
        faster, what = one["cpu"]["median"], name.rpartition(", ")[2]
        target = f"cold start ≥ {FASTER} x as fast as crhelper's ({what}, CPU)"
        rows.append((target, f"{faster:.2f} x", faster >= FASTER))
    peak = 1 / cold["ratios"]["crhelper / ours, first answer"]["peak_mb"]["median"]
    target = f"peak memory ≤ {SMALLER} x crhelper's (first answer)"
    return [*rows, (target, f"{peak:.2f} x", peak <= SMALLER)]


def _synth(synth: Json) -> list[tuple[str, str, bool]]:
    ours = next(row for row in synth["one"] if row["contestant"] == "ours")
    theirs = next(row for row in synth["one"] if row["contestant"] == "AwsCustomResource")
    low, high = theirs["cpu_ratio"]["low"], theirs["cpu_ratio"]["high"]
    ratio = ours["cpu_ratio"]["median"]
    first, *_, last = synth["many"]
    # Each further provider adds the same as the first one.
    rest = synth["many"][1:3]
    further = max(
        (row["resources"] - first["resources"]) / (row["experiments"] - 1) for row in rest
    )
    return [
        (
            "synth no slower than AwsCustomResource's, within the noise (CPU, to empty)",
            f"{ratio:.2f} x, theirs {low:.2f} to {high:.2f} x",
            ratio <= high,
        ),
        (
            f"≤ {FIRST} resources for the first",
            str(first["resources"]),
            first["resources"] <= FIRST,
        ),
        (
            f"≤ {FURTHER:g} for each further on one provider",
            f"{further:g} ({last['resources']} for {last['experiments']} on five)",
            further <= FURTHER,
        ),
    ]


def _asset(asset: Json) -> list[tuple[str, str, bool]]:
    ours = next(row for row in asset["assets"] if row["contestant"] == "ours")
    size = ours["zipped_bytes"]
    return [("asset ≤ 64 KB zipped", f"{size:,} bytes", size <= ZIPPED)]


def _many(many: Json) -> list[tuple[str, str, bool]]:
    ours = [row for row in many["rows"] if row["contestant"] == "ours"]
    failed = sum(row["failed"] for row in ours)
    most = max(row["experiments"] for row in ours)
    return [(f"up to {most} at once: nothing failed", f"{failed} failed", failed == 0)]


def _gate(gate: Json) -> list[tuple[str, str, bool]]:
    rows = [row for row in gate["at_the_bound"] if row["group"] != "not covered"]
    kinds: dict[str, list[float]] = {}
    for row in rows:
        kinds.setdefault(row["kind"], []).append(row["promoted"])
    kinds["values of hours"] = [row["at_the_bound_promoted"] for row in gate["by_the_hour"]]
    plans = [row["promoted"] for row in gate["planned"] if row["burst"] == 1]
    return [
        *(
            (
                f"≤ {FALSE} of 100 shadows at a bound promoted, for what is covered: {kind}",
                f"{max(promoted):.1f} at most",
                max(promoted) <= FALSE,
            )
            for kind, promoted in kinds.items()
        ),
        (
            f"{FORECAST[0]} to {FORECAST[1]} of 100 equal shadows promoted with the named requests",
            f"{min(plans):.0f} to {max(plans):.0f}",
            FORECAST[0] <= min(plans) and max(plans) <= FORECAST[1],
        ),
    ]


_TARGETS = {
    "lag": _lag,
    "idle": _idle,
    "cold": _cold,
    "synth": _synth,
    "asset": _asset,
    "many": _many,
    "gate": _gate,
}
