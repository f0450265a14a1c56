"""The tables of the report, with one function per benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .loopback import OUR_COLD_SECONDS
from .texts import (
    ASSUMED,
    COLD_RUNS,
    DEPLOYED,
    FEW,
    GATE,
    GATE_BY_THE_HOUR,
    GATE_PLANNED,
    GATE_POWER,
    GATE_WORSENED,
    LOOSENED,
    MANY,
    MEMORY_CHOICE,
    MEMORY_CURVE,
    PLANNED,
    REQUESTS,
    STORIES,
    TIMEOUT,
    TOGETHER,
)

__all__ = [
    "asset_tables",
    "cold_tables",
    "deployment_tables",
    "gate_tables",
    "idle_tables",
    "lag_tables",
    "many_tables",
    "plan_tables",
    "synth_tables",
    "table",
    "wait_tables",
]

Json = dict[str, Any]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def lag_tables(lag: Json) -> str:
    """Lag and cost, the runs on the local AWS, and the prices."""
    rows = [
        [
            row["stop"],
            row["contestant"],
            row["how"],
            str(row["runs"]),
            *_lags(row),
            f"{row['invocations']:.0f}",
            f"{row['calls']:.0f}",
            f"{row['dollars']:.6f}",
        ]
        for row in lag["rows"]
    ]
    head = ["stop", "contestant", "how", "runs", "lag p50", "p99", "invocations", "calls", "US$"]
    parts = ["![Lag against the duration of the stop](lag.svg)\n", table(head, rows)]
    parts.append(ASSUMED.format(cold=OUR_COLD_SECONDS))
    if lag["local"]:
        scale = f"{lag['local_scale']:g}"
        parts.append(
            f"On the local AWS, clock {scale} times as fast, all stops at once, one run each; a "
            f"real millisecond of calls, starts and CloudFormation counts {scale}:\n"
        )
        found = [
            [
                f"{row['stop_seconds'] / 60:g} min",
                row["contestant"],
                f"{row['lag']:.1f} s",
                str(row["sagemaker_calls"]),
                row["status"],
            ]
            for row in lag["local"]
        ]
        parts.append(table(["stop", "contestant", "lag", "describes", "stack"], found))
    parts.append("List prices (US East, N. Virginia):\n")
    parts.append(
        table(["what", "US$"], [[name, f"{price:.10f}"] for name, price in lag["prices"].items()])
    )
    return "\n".join(parts)


def _lags(row: Json) -> list[str]:
    if row["lag_p99"] < 0:
        return ["does not wait", "does not wait"]
    return [f"{row['lag_p50']:.2f} s", f"{row['lag_p99']:.2f} s"]


def wait_tables(wait: Json) -> str:
    """What SageMaker's events do to lag and cost, few executions, and a short timeout."""
    stories = [
        [
            row["what"],
            str(row["runs"]),
            f"{row['lag_p50']:.2f} s",
            f"{row['lag_p99']:.2f} s",
            f"{row['lag_max']:.2f} s",
            f"{row['invocations']:.0f}",
            f"{row['busy']:.0f} s",
            f"{row['calls']:.0f}",
            f"{row['dollars_p50']:.6f}",
            f"{row['dollars_max']:.6f}",
            f"{row['dollars_max_late']:.6f}",
        ]
        for row in wait["stories"]
    ]
    head = ["the event, and what a describe shows", "runs", "lag p50", "p99", "longest"]
    head += ["invocations", "billed", "calls", "US$", "at most", "in the last minute"]
    together = [
        [row["what"], f"{row['lag_p50']:.2f} s", f"{row['lag_p99']:.2f} s", str(row["failed"])]
        for row in wait["together"]
    ]
    few = [
        [
            f"{row['stop_seconds'] // 60:.0f} min",
            row["contestant"],
            str(row["failed"]),
            f"{row['all_taken_seconds']:.0f} s",
            str(row["put_off"]),
            f"{row['dollars']:.6f}",
        ]
        for row in wait["few"]
    ]
    timeouts = [
        [
            f"{row['stop_seconds']:.0f} s",
            row["status"],
            f"{row['seconds']:.0f} s",
            str(row["left_behind"]),
        ]
        for row in wait["timeout"]
    ]
    return "\n".join(
        [
            LOOSENED,
            STORIES,
            table(head, stories),
            TOGETHER,
            table(["forty stops of 20 minutes", "lag p50", "p99", "failed"], together),
            FEW.format(executions=wait["few"][0]["executions"]),
            table(["stop", "contestant", "failed", "all taken", "put off", "US$"], few),
            TIMEOUT,
            table(["stop", "answer", "after", "left behind"], timeouts),
        ]
    )


def idle_tables(idle: Json) -> str:
    """Delete of an ended experiment, and the calls of each kind of request."""
    rows = [
        [
            row["contestant"],
            f"{row['seconds']:.2f} s",
            str(row["invocations"]),
            str(row["calls"]),
            "yes" if row["made_rule"] else "no",
            f"{row['dollars']:.7f}",
        ]
        for row in idle["rows"]
    ]
    head = ["contestant", "event to answer", "invocations", "AWS calls", "polling rule", "US$"]
    ended = "Delete of an ended experiment, virtual time, one run each:\n\n" + table(head, rows)
    requests = [
        [
            row["what"],
            str(row["calls"]),
            str(row["until_stop"] or ""),
            ", ".join(f"{count} {name}" for name, count in row["by_operation"].items()),
        ]
        for row in idle["requests"]
    ]
    head = ["request", "calls", "until the Stop", "which"]
    return "\n".join([ended, REQUESTS, table(head, requests)])


def cold_tables(cold: Json) -> str:
    """Time, memory, composition and the choice of the memory size."""
    variants = [
        [name, _ms(one["wall"]), _ms(one["cpu"]), f"{one['peak_mb']['median']:.0f} MiB"]
        for name, one in cold["variants"].items()
    ]
    runs = cold["variants"]["empty Python"]["wall"]["runs"]
    ratios = [
        [name, _times(one["wall"]), _times(one["cpu"]), _times(one["peak_mb"])]
        for name, one in cold["ratios"].items()
    ]
    parts = [*cold["composition"]["ours"]]
    bars = [
        [part, *(f"{one[part] * 1000:.0f} ms" for one in cold["composition"].values())]
        for part in parts
    ]
    curve = [
        [
            f"{row['memory_mb']} MB",
            f"{row['computed_seconds']:.2f} s",
            _seconds(row["slowed"]) if row["slowed"] else "",
            f"{row['stop_dollars']:.5f}",
        ]
        for row in cold["memory"]
    ]
    return "\n".join(
        [
            COLD_RUNS.format(runs=runs),
            table(["process", "wall", "CPU", "peak memory"], variants),
            table(["ratio of pairs", "wall", "CPU", "peak memory"], ratios),
            "![What a cold start is made of](cold_start.svg)\n",
            "Where the CPU time of the import goes (shares of `-X importtime`'s own times):\n",
            table(["part", *cold["composition"]], bars),
            MEMORY_CURVE,
            table(["memory", "computed", "measured", "US$ a stop"], curve),
            MEMORY_CHOICE,
        ]
    )


def synth_tables(synth: Json) -> str:
    """One experiment compared, and ours growing."""
    one = [
        [
            row["contestant"],
            str(row["resources"]),
            f"{row['template_bytes']:,}",
            f"{row['policy_bytes']:,}",
            _seconds(row["wall"]),
            _times(row["wall_ratio"]),
            _times(row["cpu_ratio"]),
        ]
        for row in synth["one"]
    ]
    sizes = ["resources", "template, bytes", "policies, bytes", "synth"]
    many = [
        [
            str(row["experiments"]),
            str(row["resources"]),
            f"{row['resources'] / row['experiments']:.2f}",
            f"{row['template_bytes']:,}",
            f"{row['template_bytes'] / row['experiments']:,.0f}",
            f"{row['policy_bytes']:,}",
            _seconds(row["wall"]),
            _times(row["wall_ratio"]),
        ]
        for row in synth["many"]
    ]
    head = ["experiments", "resources", "each", "template, bytes", "each", "policies, bytes"]
    return "\n".join(
        [
            f"One experiment, {synth['one'][0]['wall']['runs']} alternating runs:\n",
            table(["app", *sizes, "to empty, wall", "to empty, CPU"], one),
            "Ours with more experiments, a provider for each 40:\n",
            table([*head, "synth", "to one experiment"], many),
        ]
    )


def asset_tables(asset: Json) -> str:
    """Files and bytes of what is uploaded."""
    rows = [
        [
            row["contestant"],
            str(row["assets"]),
            str(row["files"]),
            f"{row['bytes']:,}",
            f"{row['zipped_bytes']:,}",
        ]
        for row in asset["assets"]
    ]
    return table(["contestant", "assets", "files", "bytes", "uploaded, bytes"], rows)


def deployment_tables(deployment: Json) -> str:
    """Deploy, update and destroy through the CLI."""
    phases = [*deployment["ratios"]]
    rows = [
        [
            row["contestant"],
            str(row[phases[0]]["runs"]),
            *(f"{_seconds(row[phase])}, {row[f'{phase} status'][0]}" for phase in phases),
        ]
        for row in deployment["rows"]
    ]
    ratios = [[_times(deployment["ratios"][phase]) for phase in phases]]
    return "\n".join(
        [
            DEPLOYED.format(stop=deployment["stop_seconds"]),
            table(["contestant", "runs", *phases], rows),
            "AwsCustomResource / ours:\n",
            table(phases, ratios),
        ]
    )


def many_tables(many: Json) -> str:
    """Many at once, and how the cost grows."""
    rows = [
        [
            str(row["experiments"]),
            f"{row['stop_seconds'] / 60:.0f} min",
            _rate(row),
            row["contestant"],
            f"{row['calls_a_second']:.1f}",
            str(row["busiest_second"]),
            f"{row['throttled']} of {row['calls']}",
            f"{row['lag_p50']:.1f} s",
            f"{row['lag_max']:.1f} s",
            str(row["failed"]),
            f"{row['dollars']:.6f}",
        ]
        for row in many["rows"]
    ]
    head = ["experiments", "stop", "throttled at", "contestant", "SageMaker calls a second"]
    return "\n".join(
        [
            MANY,
            "![Cost against the number of experiments](many.svg)\n",
            table([*head, "busiest", "refused", "lag p50", "longest", "failed", "US$"], rows),
        ]
    )


def _rate(row: Json) -> str:
    return "none" if row["rate"] is None else f"{row['rate']:g} a second"


def plan_tables(plan: Json) -> str:
    """The command: calls and time."""
    rows = [
        [
            str(row["at_once"]),
            _rate(row),
            f"{row['seconds']:.1f} s",
            str(row["calls"]),
            str(row["describes"]),
            str(row["refused"]),
            str(row["stops"]),
        ]
        for row in plan["rows"]
    ]
    head = [
        "described at once",
        "throttled at",
        "time",
        "calls",
        "descriptions",
        "refused",
        "stops",
    ]
    told = PLANNED.format(
        experiments=sum(plan["stacks"]),
        stacks=len(plan["stacks"]),
        milliseconds=plan["call_seconds"] * 1000,
    )
    return f"{told}\n{table(head, rows)}"


def gate_tables(gate: Json) -> str:
    """False verdicts, power, and what a forecast is worth."""
    at_the_bound = [
        [
            row["group"],
            row["what"],
            *_test(row),
            str(row["min_hours"]),
            *(_chance(row[name]) for name in ("promoted", "failed", "compared")),
        ]
        for row in gate["at_the_bound"]
    ]
    by_the_hour = [
        [
            f"{row['autocorrelation']:g}",
            *(
                _chance(row[f"{name}_{verdict}"])
                for name in ("at_the_bound", "good", "bad")
                for verdict in ("promoted", "failed")
            ),
        ]
        for row in gate["by_the_hour"]
    ]
    power = [
        [
            row["group"],
            row["what"],
            *_test(row),
            *(_chance(row[name]) for name in ("two_days", "week", "two_weeks", "failed")),
        ]
        for row in gate["power"]
    ]
    planned = [
        [
            f"{row['requests']:,.0f}",
            f"{row['share']:.0%}",
            "alone" if row["burst"] == 1 else f"in bursts of {row['burst']:g}",
            str(row["asked_at"]),
            f"{row['median']:,.0f}",
            f"{row['low']:,.0f} to {row['high']:,.0f}",
            _chance(row["promoted"]),
            _chance(row["by_then"]),
            _chance(row["not_reached"]),
        ]
        for row in gate["planned"]
    ]
    worsened = {hour: _chance(share) for hour, share in gate["worsened"].items()}
    test = ["bound", "errors", "of the shadow", "requests an hour", "sampling"]
    hourly = ["promoted", "failed"]
    return "\n".join(
        [
            GATE.format(tests=gate["tests"], hours=gate["hours"], least=gate["min_hours"]),
            "![Chance to be promoted against the number of requests](gate.svg)\n",
            "Shadows exactly at the bound:\n",
            table(
                [
                    "errors come",
                    "",
                    *test,
                    "from hour",
                    "promoted",
                    "failed",
                    "promoted without `confidence`",
                ],
                at_the_bound,
            ),
            GATE_BY_THE_HOUR,
            table(["autocorrelation", *hourly, *hourly, *hourly], by_the_hour),
            GATE_POWER,
            table(["shadow", "", *test, "2 days", "1 week", "2 weeks", "failed"], power),
            GATE_PLANNED,
            table(
                [
                    "requests an hour",
                    "sampling",
                    "errors come",
                    "asked after, hours",
                    "named requests, median",
                    "10th to 90th percentile",
                    "promoted then",
                    "or before",
                    "not reached in 6 weeks",
                ],
                planned,
            ),
            GATE_WORSENED.format(**{f"after_{hour}": share for hour, share in worsened.items()}),
        ]
    )


def _test(row: Json) -> list[str]:
    """The columns that say what a simulated test is like."""
    return [
        f"{row['kind']} {row['bound']:g}",
        f"{row['rate']:g}",
        f"{row['shadow_rate']:g}",
        f"{row['requests']:,.0f}",
        f"{row['share']:.0%}",
    ]


def _chance(percent: float) -> str:
    return f"{percent:.1f}"


def _ms(one: Json) -> str:
    low, middle, high = (f"{one[name] * 1000:.0f}" for name in ("low", "median", "high"))
    return f"{middle} ms [{low}, {high}]"


def _seconds(one: Json) -> str:
    return f"{one['median']:.2f} s [{one['low']:.2f}, {one['high']:.2f}]"


def _times(one: Json) -> str:
    return f"{one['median']:.2f} x [{one['low']:.2f}, {one['high']:.2f}]"
