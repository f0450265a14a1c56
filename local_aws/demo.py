"""``make demo``: a shadow test from ``cdk deploy`` to its end on the local AWS, step by step.

Exits with 1 if anything does not end as declared.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from rich.console import Console
from rich.table import Table
from rich.text import Text

from local_aws.cdk_cli import CdkCli, CdkFailed
from local_aws.inventory import inventory
from local_aws.server import LocalAws
from local_aws.shadow_test import create_shadow_test, endpoint_variants

# boto3 creates its clients at run time, without types.
Client: TypeAlias = Any

STACK = "StopInferenceExperiment"
EXPERIMENT = "fraud-shadow"
STOP_SECONDS = 6.0
RUNNING = 4
"""Instances that production has been scaled to; one is configured."""

DECLARATION = "stop-inference-experiment"
EVIDENCE = {
    "confidence": 0.95,
    "comparisons": [
        {"metric": "model_latency", "statistic": "p99", "max_ratio": 1.1},
        {"metric": "error_rate_5xx", "max_increase": 0.0005},
    ],
}
PATIENT = {
    f"{DECLARATION}.stop_on": json.dumps(["Delete"]),
    f"{DECLARATION}.promote_if": json.dumps(EVIDENCE),
}
"""The declaration of cdk.json, but an edit of it ends nothing, and the promotion needs evidence."""

VERDICT = {**PATIENT, f"{DECLARATION}.end_now": "true"}
"""The order to end the experiment now, as declared."""


_BURSTS = {"errors_5xx": 0.0005, "burst": 2, "latency_spread": 0.1}
PRODUCTION = {"requests": 40, "latency_ms": 55, **_BURSTS}
GOOD = {"requests": 20, "latency_ms": 41, **_BURSTS, "errors_5xx": 0.0003}
SLOW = {**GOOD, "slow_ms": 90}
CLOSED = (
    (50, {**GOOD, "errors_5xx": 0.0005}, "inconclusive"),
    (60, SLOW, "failed"),
)
"""Hours of the test and traffic of the shadow with which it is not promoted, and the verdict."""

OPEN = (96, GOOD)
"""The same with which it is promoted."""


class Timeline:
    """Prints what happens, with the time, and remembers failed checks."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        self.failures: list[str] = []
        self._checks = 0
        self._started_at = time.monotonic()

    def say(self, text: str, mark: str = "[cyan]●[/]") -> None:
        """Print one line, or more with the same indent."""
        elapsed = time.monotonic() - self._started_at
        before = Text.from_markup(f"[dim]{elapsed:6.1f} s[/]  {mark}  ")
        room = self.console.width - len(before)
        for line in Text.from_markup(text).wrap(self.console, room):
            line.rstrip()
            self.console.print(before + line)
            before = Text(" " * len(before))

    def check(self, holds: bool, text: str) -> None:
        """Print whether a check succeeded."""
        self._checks += 1
        self.say(text, "[green]✔[/]" if holds else "[bold red]✘[/]")
        if not holds:
            self.failures.append(text)

    def sum_up(self) -> None:
        """Print whether everything went as declared, or what did not."""
        seconds = time.monotonic() - self._started_at
        self.console.print()
        if self.failures:
            self.console.print("[bold red]Not as declared:[/]")
            for text in self.failures:
                self.say(text, "[bold red]✘[/]")
        else:
            self.console.print("[bold green]Everything went as declared.[/]")
        held = self._checks - len(self.failures)
        self.console.print(f"{held} of {self._checks} checks hold, {seconds:.0f} s in all.")

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Print a heading, and a spinner as long as the step takes."""
        self.console.print(f"\n[bold]{title}[/]")
        with self.console.status(f"[dim]{title} …[/]"):
            yield


@contextmanager
def watched(timeline: Timeline, sagemaker: Client) -> Iterator[None]:
    """Print every change of the experiment's status while the CLI works."""
    done = threading.Event()

    def watch() -> None:
        seen = ("Running", "InService")
        while not done.wait(0.1):
            experiment = sagemaker.describe_inference_experiment(Name=EXPERIMENT)
            now = (experiment["Status"], experiment["EndpointMetadata"]["EndpointStatus"])
            if now != seen:
                timeline.say(f"experiment [bold]{now[0]}[/], endpoint {now[1]}", "[yellow]◆[/]")
                seen = now

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def main() -> int:
    """Run the demo; return the exit code."""
    timeline = Timeline()
    try:
        with tempfile.TemporaryDirectory() as folder:
            _story(timeline, Path(folder))
    except CdkFailed as error:
        timeline.console.print(str(error), markup=False)
        timeline.check(False, "the CDK CLI succeeds")
    timeline.sum_up()
    return 1 if timeline.failures else 0


def _story(timeline: Timeline, folder: Path) -> None:
    with ExitStack() as stack:
        with timeline.step("A local AWS"):
            aws = stack.enter_context(LocalAws(stop_seconds=STOP_SECONDS))
        timeline.say(f"listens on {aws.endpoint_url}, with IAM enforced")
        output = folder / "cdk.out"
        cdk = CdkCli(aws, output=output)
        _begin(timeline, aws)
        with timeline.step("cdk bootstrap"):
            cdk.bootstrap()
        before = inventory(aws)
        _arm(timeline, aws, cdk)
        aws.traffic(hours=CLOSED[0][0], production=PRODUCTION, shadow=CLOSED[0][1])
        _plan(timeline, aws, cdk)
        # From here on the app stays the same, and is not synthesised again.
        cdk = CdkCli(aws, app=output, output=output)
        for hours, traffic, verdict in CLOSED:
            aws.traffic(hours=hours, production=PRODUCTION, shadow=traffic)
            _refuse(timeline, aws, cdk, hours, verdict)
        _promote(timeline, aws, cdk)
        _tear_down(timeline, aws, cdk, before)


def _begin(timeline: Timeline, aws: LocalAws) -> None:
    with timeline.step("A shadow test, started by hand"):
        create_shadow_test(aws.client("sagemaker"), EXPERIMENT)
        aws.scale_variant("fraud", "production", current=RUNNING)
    timeline.say(f"[bold]{EXPERIMENT}[/] is Running, production on {RUNNING} instances")
    _show_endpoint(timeline, aws)


def _arm(timeline: Timeline, aws: LocalAws, cdk: CdkCli) -> None:
    with timeline.step("cdk deploy: promote the shadow, when it is ordered"):
        cdk.deploy(context=PATIENT)
    timeline.check(_status(aws) == "Running", "the resource is armed, the experiment still Running")
    timeline.check(not aws.calls("StopInferenceExperiment"), "nothing was stopped")


def _plan(timeline: Timeline, aws: LocalAws, cdk: CdkCli) -> None:
    with timeline.step("stop-inference-experiment plan: what the verdict will do"):
        prepare = ("deploy", "--all", "--method=prepare-change-set", "--change-set-name=verdict")
        cdk.run(*prepare, "--require-approval=never", context=VERDICT)
        command = [sys.executable, "-m", "cdk_stop_inference_experiment"]
        ran = subprocess.run(
            [*command, "plan", STACK, "--change-set=verdict", "--fail-on=promote"],
            env=aws.environment(os.environ),
            text=True,
            stdout=subprocess.PIPE,
            check=False,
        )
    timeline.console.print(ran.stdout, markup=False)
    timeline.check(ran.returncode == 2, "the plan exits with 2 for a promotion")
    timeline.check(_status(aws) == "Running", "the experiment is still Running")


def _refuse(timeline: Timeline, aws: LocalAws, cdk: CdkCli, hours: int, verdict: str) -> None:
    title = f"cdk deploy: the order to promote after {hours} hours; the evidence is {verdict}"
    with timeline.step(title):
        try:
            cdk.deploy(context=VERDICT)
        except CdkFailed:
            said = _last_failure(aws)
        else:
            said = "the CDK CLI succeeded"
    told = said.partition("the evidence is ")[2].partition("; measured")[0]
    timeline.check(told.startswith(verdict), f"CloudFormation says: {told or said}")
    timeline.check(not aws.calls("StopInferenceExperiment"), "nothing was stopped")


def _promote(timeline: Timeline, aws: LocalAws, cdk: CdkCli) -> None:
    hours, traffic = OPEN
    aws.traffic(hours=hours, production=PRODUCTION, shadow=traffic)
    _plan(timeline, aws, cdk)
    with (
        timeline.step(f"cdk deploy: the same after {hours} hours; the evidence is successful"),
        watched(timeline, aws.client("sagemaker")),
    ):
        cdk.deploy(context=VERDICT)
    stops = aws.calls("StopInferenceExperiment")
    timeline.check(len(stops) == 1, f"{len(stops)} StopInferenceExperiment was sent")
    stack = aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    (sent,) = [one for one in stack["Outputs"] if one["OutputKey"] == "StopRequest"]
    timeline.console.print_json(sent["OutputValue"], indent=2)
    told = json.loads(sent["OutputValue"]) == stops[0].request if stops else False
    timeline.check(told, "the output StopRequest tells what was sent")
    ended = aws.client("sagemaker").describe_inference_experiment(Name=EXPERIMENT)
    timeline.check(ended["Status"] == "Completed", f"it ended as {ended['Status']}")
    lag = _told_at(aws) - ended["CompletionTime"].timestamp()
    timeline.check(lag >= 0, f"CloudFormation was told {lag:.1f} s after the end")
    serving = endpoint_variants(aws.client("sagemaker"))
    now_production = [variant["ModelName"] for variant in serving["production"]]
    timeline.check(now_production == ["fraud-v2"], f"{_listed(now_production)} serves production")
    counts = [variant["InitialInstanceCount"] for variant in serving["production"]]
    timeline.check(counts == [RUNNING], f"on {counts[0]} instances, as production ran")
    timeline.check(not serving["shadow"], "no shadow is left deployed")
    _show_endpoint(timeline, aws)


def _tear_down(
    timeline: Timeline, aws: LocalAws, cdk: CdkCli, before: dict[str, list[str]]
) -> None:
    with timeline.step("cdk destroy"):
        cdk.destroy()
    timeline.check(
        len(aws.calls("StopInferenceExperiment")) == 1, "the ended experiment was not stopped again"
    )
    for kind, left in inventory(aws).items():
        added = sorted(set(left) - set(before[kind]))
        if kind == "log groups":
            # Only the log says how a teardown ended an experiment.
            timeline.check(len(added) == 1, f"the function's log stays: {_listed(added)}")
            continue
        timeline.check(not added, f"{kind} left behind: {_listed(added)}")


def _status(aws: LocalAws) -> str:
    experiment = aws.client("sagemaker").describe_inference_experiment(Name=EXPERIMENT)
    return str(experiment["Status"])


def _told_at(aws: LocalAws) -> float:
    """When CloudFormation completed the custom resource's update."""
    events = aws.client("cloudformation").describe_stack_events(StackName=STACK)["StackEvents"]
    told = next(
        event
        for event in events
        if event["ResourceType"] == "Custom::StopInferenceExperiment"
        and event["ResourceStatus"] == "UPDATE_COMPLETE"
    )
    return float(told["Timestamp"].timestamp())


def _last_failure(aws: LocalAws) -> str:
    """What the custom resource failed with, as CloudFormation's events tell it."""
    events = aws.client("cloudformation").describe_stack_events(StackName=STACK)["StackEvents"]
    failed = (event for event in events if event["ResourceStatus"] == "UPDATE_FAILED")
    return str(next(failed)["ResourceStatusReason"])


def _show_endpoint(timeline: Timeline, aws: LocalAws) -> None:
    table = Table("variant", "role", "model", "instances", title="endpoint fraud", min_width=60)
    for role, variants in endpoint_variants(aws.client("sagemaker")).items():
        for variant in variants:
            table.add_row(
                variant["VariantName"],
                role,
                variant["ModelName"],
                f"{variant['InitialInstanceCount']} x {variant['InstanceType']}",
            )
    timeline.console.print(table)


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"


if __name__ == "__main__":
    sys.exit(main())
