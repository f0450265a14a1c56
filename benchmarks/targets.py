"""The targets, which were set before any measurement, and whether they are met.

The waiting has new ones since it holds no execution; the old ones are beside them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .loopback import INSIDE, OUR_COLD_SECONDS

__all__ = ["Target", "targets"]

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


class Target(NamedTuple):
    """A target.

    Attributes:
        what: What is measured.
        least: The target itself.
        is_headline: Whether the summary shows it, even if it is met.
        section: The benchmark that measures it.
    """

    what: str
    least: str
    measured: str
    is_met: bool
    is_headline: bool = False
    section: str = ""

    @property
    def verdict(self) -> str:
        """Whether it is met."""
        return "met" if self.is_met else "**missed**"


def targets(results: Json) -> list[Target]:
    """Return the targets with existing results."""
    return [
        target._replace(section=name)
        for name, make in _TARGETS.items()
        if name in results
        for target in make(results[name])
    ]


def _lag(lag: Json) -> list[Target]:
    costs = {row["stop"]: row["dollars"] for row in lag["rows"] if row["contestant"] == "ours"}
    pairs = list(_priced(lag))
    worst = max(pairs, key=lambda pair: pair[1] / pair[2])
    return [
        *(
            Target(
                f"price of a stop of {stop}",
                f"≤ US$ {most}",
                f"US$ {costs[stop]:.6f}",
                costs[stop] <= most,
                is_headline=True,
            )
            for stop, most in STOP_DOLLARS.items()
        ),
        Target(
            "price of a stop",
            "no more than the provider framework's",
            f"at most {worst[1] / worst[2]:.2f} times as much (stop of {worst[0]})",
            worst[1] <= worst[2],
        ),
    ]


def _wait(wait: Json) -> list[Target]:
    stories = wait["stories"]
    usual = stories[0]
    lost, behind, still = (
        next(row for row in stories if row["what"].startswith(what))
        for what in ("never", "a describe is 5 s", "a describe never")
    )
    few = [row for row in wait["few"] if row["contestant"] == "ours"]
    odd = [
        Target(
            f"lag p99 and price, {row['what']}",
            f"≤ {BEHIND:g} s, ≤ US$ {ODD_DOLLARS}",
            f"{row['lag_p99']:.2f} s, US$ {row['dollars_max']:.6f}",
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
        Target(
            "lag p50, event within a second, stops up to 55 min",
            f"≤ {P50:g} s (before: {OLD_P50} s)",
            f"{usual['lag_p50']:.2f} s",
            usual["lag_p50"] <= P50,
        ),
        Target(
            "lag p99, event within a second",
            f"≤ {P99:g} s (before: {OLD_P99} s)",
            f"{usual['lag_p99']:.2f} s",
            usual["lag_p99"] <= P99,
            is_headline=True,
        ),
        Target(
            "lag p99, forty end together",
            f"≤ {P99:g} s and one cold start, {cold:g} s",
            f"{together:.2f} s",
            together <= cold,
        ),
        Target(
            "lag, every event lost",
            f"≤ {LOST:g} s plus EventBridge's delay (before: {OLD_P99} s)",
            f"{lost['lag_max']:.2f} s at most, without a delay",
            lost["lag_max"] <= LOST,
            is_headline=True,
        ),
        *odd,
        *(
            Target(
                f"40 stops of {_minutes(row)}, ten executions",
                f"0 failed, taken ≤ {ALL_TAKEN:g} s",
                f"{row['failed']} failed, {row['all_taken_seconds']:.0f} s",
                row["failed"] == 0 and row["all_taken_seconds"] <= ALL_TAKEN,
            )
            for row in few
        ),
        Target(
            f"ServiceTimeout of {SERVICE_TIMEOUT:g} s",
            "answered within it",
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


def _idle(idle: Json) -> list[Target]:
    ours = next(row for row in idle["rows"] if row["contestant"] == "ours")
    met = ours["invocations"] == 1 and not ours["made_rule"]
    value = f"{ours['invocations']} invocation, {'a' if ours['made_rule'] else 'no'} rule"
    return [Target("nothing to do", "one invocation, no rule", value, met)]


def _cold(cold: Json) -> list[Target]:
    rows = []
    for name, one in cold["ratios"].items():
        if not name.startswith("crhelper / ours"):
            continue
        faster, what = one["cpu"]["median"], name.rpartition(", ")[2]
        target = f"≥ {FASTER} x as fast as crhelper's"
        rows.append(Target(f"cold start, {what}, CPU", target, f"{faster:.2f} x", faster >= FASTER))
    peak = 1 / cold["ratios"]["crhelper / ours, first answer"]["peak_mb"]["median"]
    target = f"≤ {SMALLER} x crhelper's"
    return [*rows, Target("peak memory, first answer", target, f"{peak:.2f} x", peak <= SMALLER)]


def _synth(synth: Json) -> list[Target]:
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
            Target(
                "synth, CPU, to an empty app's",
                f"no slower than {whose}, within the noise",
                f"{ratio:.2f} x, theirs {cpu[name]['low']:.2f} to {cpu[name]['high']:.2f} x",
                ratio <= cpu[name]["high"],
            )
            for name, whose in SLOWER.items()
        ),
        Target(
            "resources for the first experiment",
            f"≤ {FIRST} (before the rules' permission: 7)",
            str(first["resources"]),
            first["resources"] <= FIRST,
            is_headline=True,
        ),
        Target(
            "resources for each further one on one provider",
            f"≤ {FURTHER:g}",
            f"{further:g} ({last['resources']} for {last['experiments']} on five)",
            further <= FURTHER,
        ),
    ]


def _many(many: Json) -> list[Target]:
    ours = [row for row in many["rows"] if row["contestant"] == "ours"]
    failed = sum(row["failed"] for row in ours)
    most = max(row["experiments"] for row in ours)
    rows = [
        Target(
            *(f"up to {most} stops at once", "nothing failed", f"{failed} failed", failed == 0),
            is_headline=True,
        )
    ]
    inside = {
        (row["experiments"], row["rate"], row["stop_seconds"]): row["calls"]
        for row in many["rows"]
        if row["contestant"] == INSIDE
    }
    for row in ours:
        before = inside.get((row["experiments"], row["rate"], row["stop_seconds"]))
        if row["experiments"] == most and before is not None:
            share = row["calls"] / before
            what = f"calls of {most} at once, {row['rate']:g} a second, stops of {_minutes(row)}"
            target = "≤ a tenth of those of waiting inside"
            found = f"{row['calls']:,} of {before:,}, {share:.1%}"
            rows.append(Target(what, target, found, share <= 1 / FEWER_CALLS))
    return rows


def _gate(gate: Json) -> list[Target]:
    rows = [row for row in gate["at_the_bound"] if row["group"] != "not covered"]
    kinds: dict[str, list[float]] = {}
    for row in rows:
        kinds.setdefault(row["kind"], []).append(row["promoted"])
    kinds["values of hours"] = [row["at_the_bound_promoted"] for row in gate["by_the_hour"]]
    plans = [row["promoted"] for row in gate["planned"] if row["burst"] == 1]
    return [
        *(
            Target(
                f"shadows at a bound promoted, for what is covered: {kind}",
                f"≤ {FALSE} of 100",
                f"{max(promoted):.1f} at most",
                max(promoted) <= FALSE,
                is_headline=True,
            )
            for kind, promoted in kinds.items()
        ),
        Target(
            "equal shadows promoted with the named requests",
            f"{FORECAST[0]} to {FORECAST[1]} of 100",
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
