"""Several examples as one app, so that one run of the CDK CLI deploys them."""

from __future__ import annotations

import sys
from pathlib import Path

from aws_cdk import App

sys.path.append(str(Path(__file__).parents[3]))

from examples.by_name.app import build as by_name
from examples.many_tests.app import build as many_tests
from examples.one_stack.app import build as one_stack
from examples.outcomes.app import build as outcomes
from examples.two_stages.app import build as two_stages

app = App()
for build in (by_name, many_tests, one_stack, outcomes, two_stages):
    build(app)
app.synth()
