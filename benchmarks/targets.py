"""The targets, which were set before any measurement, and whether they are met.

The waiting has new ones since it holds no execution; the old ones are beside them.
"""

from __future__ import annotations

from typing import Any

from .loopback import INSIDE, OUR_COLD_SECONDS

__all__ = ["target_rows"]

Json = dict[str, Any]
P50, P99, FIRST, FURTHER = 2.0, 5.0, 8, 2.0
OLD_P50, OLD_P99 = 1.6, 3.2
LOST, BEHIND, ODD_DOLLARS, ALL_TAKEN, SERVICE_TIMEOUT = 60.0, 10.0, 0.0003, 60.0, 300.0
STOP_DOLLARS = {"14 min": 0.0002, "50 min": 0.0003}
FEWER_CALLS = 10
FASTER, SMALLER = 1.3, 0.75
SLOWER = {
    "AwsCustomResource": "AwsCustomResource's (the old target)",
    "provider framework": "the provider framework's",
}
FALSE, FORECAST = 5, (75, 90)


def target_rows(results: Json) -> list[list[str]]:
    """Return target, measured value and verdict for the existing results."""
    rows: list[tuple[str, str, bool]] = []
    for name, make in _TARGETS.items():
        if name in results:
            rows += make(results[name])
    return [[target, value, "met" if is_met else "**missed**"] for target, value, is_met in rows]


def _lag(lag: Json) -> list[tuple[str, str, bool]]:
    costs = {row["stop"]: row["dollars"] for row in lag["rows"] if row["contestant"] == "ours"}
    pairs = list(_priced(lag))
    worst = max(pairs, key=lambda pair: pair[1] / pair[2])
    return [
        *(
            (f"a stop of {stop} ≤ US$ {most}", f"{costs[stop]:.6f}", costs[stop] <= most)
            for stop, most in STOP_DOLLARS.items()
        ),
        (
            "a stop costs no more than the provider framework's",
            f"at most {worst[1] / worst[2]:.2f} times as much (stop of {worst[0]})",
            worst[1] <= worst[2],
        ),
    ]


def _wait(wait: Json) -> list[tuple[str, str, bool]]:
    stories = wait["stories"]
    usual = stories[0]
    lost, behind, still = (
        next(row for row in stories if row["what"].startswith(what))
        for what in ("never", "a describe is 5 s", "a describe never")
    )
    few = [row for row in wait["few"] if row["contestant"] == "ours"]
    odd = [
        (
            f"{row['what']}: lag p99 ≤ {BEHIND:g} s, ≤ US$ {ODD_DOLLARS}",
            f"{row['lag_p99']:.2f} s, {row['dollars_max']:.6f}",
            row["lag_p99"] <= BEHIND and row["dollars_max"] <= ODD_DOLLARS,
        )
        for row in (behind, still)
    ]
    cold = P99 + OUR_COLD_SECONDS
    together = max(row["lag_p99"] for row in wait["together"])
    fits = all(
        row["seconds"] <= SERVICE_TIMEOUT and row["status"] != "none" for row in wait["timeout"]
    )
    return [
        (
            f"lag p50 ≤ {P50:g} s (before: {OLD_P50} s), event within a second, stops up to 55 min",
            f"{usual['lag_p50']:.2f} s",
            usual["lag_p50"] <= P50,
        ),
        (
            f"lag p99 ≤ {P99:g} s (before: {OLD_P99} s), the same",
            f"{usual['lag_p99']:.2f} s",
            usual["lag_p99"] <= P99,
        ),
        (
            f"forty end together: p99 ≤ {P99:g} s and one cold start, {cold:g} s",
            f"{together:.2f} s",
            together <= cold,
        ),
        (
            f"every event lost: ≤ {LOST:g} s plus EventBridge's delay (before: {OLD_P99} s)",
            f"{lost['lag_max']:.2f} s at most, without a delay",
            lost["lag_max"] <= LOST,
        ),
        *odd,
        *(
            (
                f"40 stops of {_minutes(row)}, ten executions: 0 failed, taken ≤ {ALL_TAKEN:g} s",
                f"{row['failed']} failed, {row['all_taken_seconds']:.0f} s",
                row["failed"] == 0 and row["all_taken_seconds"] <= ALL_TAKEN,
            )
            for row in few
        ),
        (
            f"ServiceTimeout of {SERVICE_TIMEOUT:g} s: answered within it",
            f"after {max(row['seconds'] for row in wait['timeout']):.0f} s at the latest",
            fits,
        ),
    ]


def _minutes(row: Json) -> str:
    return f"{row['stop_seconds'] // 60:.0f} min"


def _priced(lag: Json) -> list[tuple[str, float, float]]:
    by_stop: dict[str, dict[str, float]] = {}
    for row in lag["rows"]:
        if row["how"] == "simulated" or row["contestant"] == "ours":
            by_stop.setdefault(row["stop"], {})[row["contestant"]] = row["dollars"]
    return [
        (stop, one["ours"], one["provider framework"])
        for stop, one in by_stop.items()
        if "ours" in one
    ]


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
    cpu = {row["contestant"]: row["cpu_ratio"] for row in synth["one"]}
    ratio = cpu["ours"]["median"]
    first, *_, last = synth["many"]
    # Each further provider adds the same as the first one.
    rest = synth["many"][1:3]
    further = max(
        (row["resources"] - first["resources"]) / (row["experiments"] - 1) for row in rest
    )
    return [
        *(
            (
                f"synth no slower than {whose}, within the noise (CPU, to empty)",
                f"{ratio:.2f} x, theirs {cpu[name]['low']:.2f} to {cpu[name]['high']:.2f} x",
                ratio <= cpu[name]["high"],
            )
            for name, whose in SLOWER.items()
        ),
        (
            f"≤ {FIRST} resources for the first (before the rules' permission: 7)",
            str(first["resources"]),
            first["resources"] <= FIRST,
        ),
        (
            f"≤ {FURTHER:g} for each further on one provider",
            f"{further:g} ({last['resources']} for {last['experiments']} on five)",
            further <= FURTHER,
        ),
    ]


def _many(many: Json) -> list[tuple[str, str, bool]]:
    ours = [row for row in many["rows"] if row["contestant"] == "ours"]
    failed = sum(row["failed"] for row in ours)
    most = max(row["experiments"] for row in ours)
    rows = [(f"up to {most} at once: nothing failed", f"{failed} failed", failed == 0)]
    inside = {
        (row["experiments"], row["rate"], row["stop_seconds"]): row["calls"]
        for row in many["rows"]
        if row["contestant"] == INSIDE
    }
    for row in ours:
        before = inside.get((row["experiments"], row["rate"], row["stop_seconds"]))
        if row["experiments"] == most and before is not None:
            share = row["calls"] / before
            target = (
                f"{most} at once, {row['rate']:g} calls a second, stops of "
                f"{_minutes(row)}: ≤ a tenth of the calls of waiting inside"
            )
            found = f"{row['calls']:,} of {before:,}, {share:.1%}"
            rows.append((target, found, share <= 1 / FEWER_CALLS))
    return rows


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
    "wait": _wait,
    "lag": _lag,
    "idle": _idle,
    "cold": _cold,
    "synth": _synth,
    "many": _many,
    "gate": _gate,
}
