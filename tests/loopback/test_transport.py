"""A world is the same whether botocore's work is cached or not."""

from __future__ import annotations

import pytest

from loopback.journal import Entry
from loopback.sagemaker import Pace
from loopback.transport import CLIENTS
from loopback.world import World

from .asking import FORWARD

FAULTS: tuple[tuple[tuple[str, str], ...], ...] = (
    (),
    (("StopInferenceExperiment", "taken"),),
    (("DescribeInferenceExperiment", "throttled"), ("DescribeStacks", "lost")),
    (("PUT", "error"), ("PutTargets", "unreachable")),
)


def journal(status: str, faults: tuple[tuple[str, str], ...]) -> list[Entry]:
    world = World()
    world.stack.status = FORWARD
    with world.installed():
        world.experiment(status, Pace(stop=100, begin=40))
        for operation, kind in faults:
            world.fail(operation, kind)
        event = world.request("Update")
        world.deliver(event)
        world.deliver(event)
        assert world.run_to_quiet()
    return list(world.journal)


@pytest.mark.parametrize("status", ["absent", "Created", "Running", "Updating", "Completed"])
@pytest.mark.parametrize("faults", FAULTS, ids=str)
def test_what_is_remembered_changes_nothing(
    status: str, faults: tuple[tuple[str, str], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal(status, faults)
    remembered = journal(status, faults)
    monkeypatch.setattr(CLIENTS, "remembers", False)
    assert journal(status, faults) == remembered
