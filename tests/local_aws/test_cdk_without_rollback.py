"""What the real CDK CLI does with a deployment that fails without rollback."""

from __future__ import annotations

from pathlib import Path

import aws_cdk
import pytest

from local_aws import LocalAws
from local_aws.cdk_cli import CdkCli, CdkFailed

from .conftest import FunctionMaker
from .stacks import MAY_LOOK, STACK, SWITCHED, described, fail

pytestmark = pytest.mark.slow


class Deployments:
    """A stack of one custom resource, deployed by the CLI."""

    def __init__(self, aws: LocalAws, arn: str, folder: Path) -> None:
        self._aws, self._arn, self._folder = aws, arn, folder
        self._number = 0

    def cdk(self, value: str, *arguments: str) -> str:
        """Run a command of the CLI on the stack as it is with a value of the resource's."""
        self._number += 1
        output = self._folder / str(self._number)
        app = aws_cdk.App(outdir=str(output), analytics_reporting=False)
        # Without a bootstrap: the template is small enough to be sent as it is.
        stack = aws_cdk.Stack(app, STACK, synthesizer=aws_cdk.LegacyStackSynthesizer())
        properties = {"ServiceToken": self._arn, "Value": value}
        aws_cdk.CfnResource(stack, "Tried", type="Custom::Tried", properties=properties)
        app.synth()
        return CdkCli(self._aws, output=output, app=output).run(*arguments)

    def deploy(self, value: str, *options: str) -> str:
        """Deploy the stack."""
        return self.cdk(value, "deploy", "--all", "--require-approval=never", *options)

    def status(self) -> str:
        """The stack's status."""
        return str(described(self._aws)["StackStatus"])


@pytest.fixture
def stack(aws: LocalAws, make_function: FunctionMaker, tmp_path: Path) -> Deployments:
    arn = make_function(SWITCHED, Timeout=20, statements=MAY_LOOK)
    made = Deployments(aws, arn, tmp_path)
    made.deploy("1")
    assert made.status() == "CREATE_COMPLETE"
    return made


def test_rolls_back_on_order(aws: LocalAws, stack: Deployments) -> None:
    fail(aws, "2")
    with pytest.raises(CdkFailed, match="UPDATE_FAILED"):
        stack.deploy("2", "--no-rollback")
    stack.cdk("2", "rollback", STACK, "--no-validate-bootstrap-version")
    assert stack.status() == "UPDATE_ROLLBACK_COMPLETE"
