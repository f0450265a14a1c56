"""What the command says to people."""

from __future__ import annotations

import pytest

from cdk_stop_inference_experiment.cli.printing import print_status
from cdk_stop_inference_experiment.cli.status import StackStatus, Standing
from tests.unit.lifecycle import RESOURCE, STACK


@pytest.mark.parametrize(("status", "is_to_come"), [("Running", True), ("Completed", False)])
def test_a_scheduled_end_is_told_until_the_experiment_has_ended(
    capsys: pytest.CaptureFixture[str], status: str, is_to_come: bool
) -> None:
    standing = Standing(
        stack="shadow",
        logical_id=RESOURCE,
        experiment="fraud-shadow",
        status=status,
        since="2026-11-20T10:00:00Z",
        scheduled_end="2026-11-27T10:00:00Z",
        endpoint="fraud",
        variants=(),
        on_change=None,
        on_teardown=None,
    )
    print_status([StackStatus(STACK, "shadow", "CREATE_COMPLETE", (standing,))])
    text = capsys.readouterr().out
    assert ("It ends by itself at 2026-11-27T10:00:00Z." in text) is is_to_come
