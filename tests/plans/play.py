"""Random histories of one stack: declared, planned, executed and compared.

``python -m tests.plans.play --count 300 --seed 1`` plays many, and prints the counts.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from cdk_stop_inference_experiment.cli.plan import FAIL, NO, STOP, UNKNOWN, WILL, Plan
from cdk_stop_inference_experiment.cli.reading import CannotPlan
from local_aws import LocalAwsError

from .compare import Happened, mistakes, reasons
from .world import (
    BOTH,
    KEEP,
    PROMOTE,
    Declared,
    Json,
    Stack,
    World,
    native_properties,
    running,
    shadow_test,
)

OPERATIONS = 4
"""Of a history, its deletion included."""


@dataclass
class Tally:
    """What many plans said, and where they were wrong.

    Attributes:
        said: How many verdicts said what.
        unknown: The reasons of those that said "not known".
        wrong: Every mistake, with its history.
    """

    plans: int = 0
    verdicts: int = 0
    said: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, plan: Plan, happened: Happened, told: list[str]) -> None:
        """Count a plan and its mistakes."""
        self.plans += 1
        self.verdicts += len(plan.verdicts)
        for verdict in plan.verdicts:
            stop, fail = verdict.chance(STOP), verdict.chance(FAIL)
            self.said[f"stop {stop}"] += 1
            self.said[f"fail {fail}"] += 1
            self.said["nothing, will"] += (stop, fail, verdict.certainty) == (NO, NO, WILL)
        self.happened["stops"] += len(happened.stops)
        self.happened["promotions"] += sum(
            "Promote" in stop["ModelVariantActions"].values() for stop in happened.stops
        )
        self.happened["undone"] += happened.is_undone
        self.unknown.update(re.sub(r"'[^']*'", "'…'", why) for why in reasons(plan))
        for mistake in mistakes(plan, happened):
            history = "\n    ".join(told)
            self.wrong.append(f"{mistake}\n    {history}")

    @property
    def unsafe(self) -> list[str]:
        """The mistakes that matter most."""
        return [one for one in self.wrong if one.startswith("UNSAFE")]

    def __str__(self) -> str:
        unknown = self.said[f"stop {UNKNOWN}"]
        counts = ", ".join(f"{name}: {count}" for name, count in sorted(self.said.items()))
        happened = ", ".join(f"{name}: {count}" for name, count in sorted(self.happened.items()))
        lines = [
            f"{self.plans} plans, {self.verdicts} verdicts; happened: {happened}",
            f"said: {counts}",
            f"not known: {unknown} of {self.verdicts}",
            *(f"  {count} x {why}" for why, count in self.unknown.most_common()),
            f"wrong: {len(self.wrong)}, of these unsafe: {len(self.unsafe)}",
            *self.wrong,
        ]
        return "\n".join(lines)


def play(world: World, seed: int, tally: Tally) -> None:
    """Play one history."""
    random_ = random.Random(seed)
    name = f"h{seed}"
    stack, told = Stack(world, name), [f"seed {seed}"]
    declared = _first(world, random_, name)
    for number in range(OPERATIONS):
        is_last = number == OPERATIONS - 1
        keeps = random_.random() < 0.5 or stack.status.endswith("_FAILED")
        if is_last or (stack.stack_id and random_.random() < 0.15):
            if not stack.stack_id:
                return
            told.append("destroy")
            plan = stack.destruction()
            tally.add(plan, stack.destroy(), told)
            return
        if number:
            declared = _changed(world, random_, declared, name, told)
            if random_.random() < 0.1:
                _by_hand(world, name, told)
        told.append(f"deploy{' without rollback' if keeps else ''} {declared}")
        try:
            plan = stack.prepare(declared)
        except CannotPlan:
            return
        if plan.changes:
            tally.add(plan, stack.execute(disable_rollback=keeps), told)
        if stack.status in ("ROLLBACK_COMPLETE", "DELETE_COMPLETE", "UPDATE_ROLLBACK_FAILED"):
            if stack.status != "DELETE_COMPLETE":
                told.append(f"destroy from {stack.status}")
                tally.add(stack.destruction(), stack.destroy(), told)
            return


def _first(world: World, random_: random.Random, name: str) -> Declared:
    declared = Declared(is_nested=random_.random() < 0.2, is_yaml=random_.random() < 0.2)
    if random_.random() < 0.25:
        world_endpoint(world, name)
        declared.native = native_properties(f"{name}-a", name)
    else:
        shadow_test(world, f"{name}-a")
    declared.ours["Stop"] = _properties(random_, f"{name}-a")
    if random_.random() < 0.15:
        shadow_test(world, f"{name}-b")
        declared.ours["Twin"] = _properties(random_, f"{name}-b")
    if random_.random() < 0.4:
        declared.fragile = random_.choice(["1", "1", "fail"])
        declared.comes_first = random_.random() < 0.7
    if random_.random() < 0.25:
        declared.late, declared.switch = {"Stop": "EndNow"}, "false"
    return declared


def world_endpoint(world: World, name: str) -> None:
    """An endpoint without a test: that of an experiment that ended is one."""
    shadow_test(world, f"{name}-before")
    world.aws.end_experiment(f"{name}-before", status="Completed")
    client = world.sagemaker
    variant = {
        "VariantName": "production",
        "ModelName": "fraud-v1",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    while client.describe_endpoint(EndpointName=name)["EndpointStatus"] == "Creating":
        time.sleep(0.05)


def _properties(random_: random.Random, name: str) -> Json:
    found: Json = {"Name": name, "ModelVariantActions": random_.choice([KEEP, KEEP, PROMOTE])}
    stop_on = random_.choice([None, None, None, ["Update"], ["Delete"], ["Create", "Delete"]])
    if stop_on:
        found["StopOn"] = stop_on
    if random_.random() < 0.1:
        found["EndNow"] = "true"
    if random_.random() < 0.2:
        found["Outcome"] = "KeepBoth"
        del found["ModelVariantActions"]
    return found


Edit = Callable[[World, random.Random, Declared, str], Declared]


def _changed(
    world: World, random_: random.Random, declared: Declared, name: str, told: list[str]
) -> Declared:
    """One or two edits."""
    if declared.fragile == "fail" and random_.random() < 0.7:
        declared = replace(declared, fragile="2")
    elif declared.fragile == "fail":
        declared = replace(declared, filler=str(random_.randrange(10**6)))
    for _ in range(random_.choice([0, 1, 1, 2, 2])):
        edit = random_.choice(EDITS)
        told.append(edit.__name__.strip("_").replace("_", " "))
        declared = edit(world, random_, declared, name)
    return declared


def _with(declared: Declared, **changes: object) -> Declared:
    if "Stop" not in declared.ours:
        return declared
    own = {**declared.ours["Stop"], **changes}
    own = {member: value for member, value in own.items() if value is not None}
    return replace(declared, ours={**declared.ours, "Stop": own})


def _other_actions(_w: World, random_: random.Random, declared: Declared, _n: str) -> Declared:
    actions = random_.choice([KEEP, PROMOTE, BOTH])
    return _with(declared, ModelVariantActions=actions, Outcome=None)


def _end_now(_w: World, _r: random.Random, declared: Declared, _n: str) -> Declared:
    return _with(declared, EndNow="true")


def _reason(_w: World, random_: random.Random, declared: Declared, _n: str) -> Declared:
    return _with(declared, Reason=f"in other words {random_.randrange(9)}")


def _stop_on(_w: World, random_: random.Random, declared: Declared, _n: str) -> Declared:
    return _with(declared, StopOn=random_.choice([["Update"], ["Delete"], ["Update", "Delete"]]))


def _state(_w: World, random_: random.Random, declared: Declared, _n: str) -> Declared:
    return _with(declared, DesiredState=random_.choice(["Completed", "Cancelled"]))


def _rename(world: World, _r: random.Random, declared: Declared, name: str) -> Declared:
    if "Stop" not in declared.ours or declared.ours["Stop"]["Name"].endswith("-c"):
        return declared
    shadow_test(world, f"{name}-c")
    return _with(declared, Name=f"{name}-c")


def _new_id(_w: World, _r: random.Random, declared: Declared, _n: str) -> Declared:
    if "Stop" not in declared.ours:
        return declared
    ours = {**declared.ours, "Moved": declared.ours["Stop"]}
    del ours["Stop"]
    return replace(declared, ours=ours)


def _remove(_w: World, _r: random.Random, declared: Declared, _n: str) -> Declared:
    return replace(declared, ours={}, late={})


def _retain(_w: World, random_: random.Random, declared: Declared, _n: str) -> Declared:
    policies = random_.choice([{"DeletionPolicy": "Retain"}, {"UpdateReplacePolicy": "Retain"}])
    return replace(declared, policies=dict.fromkeys(declared.ours, policies))


def _dynamic(_w: World, random_: random.Random, declared: Declared, _n: str) -> Declared:
    if not declared.late:
        if "Stop" not in declared.ours:
            return declared
        return replace(declared, late={"Stop": "EndNow"}, switch=random_.choice(["false", "true"]))
    # Beside another edit, the change set does not show that the value changes.
    reworded = _reason(_w, random_, declared, _n) if random_.random() < 0.6 else declared
    return replace(reworded, switch="true" if declared.switch == "false" else "false")


def _fragile(_w: World, random_: random.Random, declared: Declared, _n: str) -> Declared:
    """Something else fails, often before ours are reached that change, too."""
    changed = _end_now(_w, random_, declared, _n) if random_.random() < 0.5 else declared
    return replace(changed, fragile="fail", comes_first=random_.random() < 0.7)


def _native(_w: World, random_: random.Random, declared: Declared, _n: str) -> Declared:
    if not declared.native:
        return replace(declared, filler=str(random_.randrange(10**6)))
    if random_.random() < 0.3:
        return replace(declared, native={})
    state = random_.choice(["Completed", "Cancelled", "Running"])
    more: Json = {"DesiredState": state}
    if random_.random() < 0.4:
        shadows = declared.native["ModelVariants"]
        more["ModelVariants"] = shadows[1:] if random_.random() < 0.5 else shadows[:1]
    return replace(declared, native={**declared.native, **more})


def _filler(_w: World, random_: random.Random, declared: Declared, _n: str) -> Declared:
    return replace(declared, filler=str(random_.randrange(10**6)))


EDITS: tuple[Edit, ...] = (
    _other_actions,
    _other_actions,
    _end_now,
    _end_now,
    _reason,
    _stop_on,
    _state,
    _rename,
    _new_id,
    _remove,
    _retain,
    _dynamic,
    _dynamic,
    _fragile,
    _fragile,
    _native,
    _native,
    _filler,
)


def _by_hand(world: World, name: str, told: list[str]) -> None:
    """Somebody ends the experiment, if it is there."""
    with suppress(LocalAwsError):
        world.aws.end_experiment(f"{name}-a", status="Completed", status_reason="by hand")
        told.append("ended by hand")


def main() -> int:
    """Play many histories, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, nargs="+", help="these instead")
    parser.add_argument("--seconds", type=float, default=3600.0, help="start no history after this")
    options = parser.parse_args()
    tally, begun = Tally(), time.monotonic()
    with running() as world:
        for seed in options.seeds or range(options.seed, options.seed + options.count):
            if time.monotonic() > begun + options.seconds:
                break
            play(world, seed, tally)
            if sys.stderr.isatty():
                print(f"\r{seed} {tally.plans} plans", end="", file=sys.stderr)
    print(tally)
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
