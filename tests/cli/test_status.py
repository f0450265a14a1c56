"""How the experiments of a stack are read for ``status``."""

from __future__ import annotations

from collections import Counter
from threading import Barrier

import pytest

from cdk_stop_inference_experiment.cli.printing import print_status
from cdk_stop_inference_experiment.cli.reading import Deployed, Reader
from cdk_stop_inference_experiment.cli.status import status_of
from cdk_stop_inference_experiment_handler.contract.wire import RESOURCE_TYPE
from cdk_stop_inference_experiment_handler.lifecycle.facts import Experiment
from tests.unit.lifecycle import ARN, STACK, created, experiment

from .account import TOKEN, Account, ours

NAMES = "first", "second", "third"


class Described(Account):
    """Three experiments that the reader itself describes.

    SageMaker answers for the second only together with the third; the first is described alone.
    """

    experiment = Reader.experiment

    def __post_init__(self) -> None:
        super().__post_init__()
        self._known = {}
        self.calls = Counter[str]()
        self.together = Barrier(len(NAMES) - 1, timeout=30)
        arns = {name: ARN.replace("fraud-shadow", name) for name in NAMES}
        self.templates[STACK] = {name: {"Properties": ours(Name=name)} for name in NAMES}
        self.deployed[STACK] = [
            Deployed(name, arn, RESOURCE_TYPE, "CREATE_COMPLETE") for name, arn in arns.items()
        ]

    def describe(self, name: str) -> Experiment:
        self.calls[name] += 1
        if name != "first" and self.calls[name] == 1:
            self.together.wait()
        return experiment(name=name, sampling=50.0)


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_IN_PROGRESS"])
def test_each_experiment_is_described_once_and_several_at_the_same_time(status: str) -> None:
    account = Described()
    account.of_stack(status)
    standings = status_of(account, "shadow").resources
    assert [one.experiment for one in standings] == list(NAMES)
    assert account.calls == dict.fromkeys(NAMES, 1)
    variants = [(one.name, one.role, one.model, one.traffic) for one in standings[0].variants]
    assert variants == [
        ("production", "production", "fraud-v1", 100),
        ("shadow", "shadow", "fraud-v2", 50),
    ]


@pytest.mark.parametrize(
    ("what", "stop_on", "left_out"),
    [("A changed declaration", "Delete", "Update"), ("A teardown", "Update", "Delete")],
)
def test_status_says_which_event_stop_on_leaves_out(
    capsys: pytest.CaptureFixture[str], what: str, stop_on: str, left_out: str
) -> None:
    account = Account()
    account.happened[STACK] = created(StopOn=[stop_on], ServiceToken=TOKEN)
    print_status([status_of(account, "shadow")])
    text = f"{what} would stop nothing: 'StopOn' does not list {left_out}."
    assert text in capsys.readouterr().out
