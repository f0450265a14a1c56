"""Several examples as one app, so that one run of the CDK CLI deploys them."""

from __future__ import annotations

import sys
from pathlib import Path

from aws_cdk import App, Environment

sys.path.append(str(Path(__file__).parents[3]))

from examples.by_name.app import build as by_name
from examples.many_tests.app import build as many_tests
from examples.one_stack.app import build as one_stack
from examples.outcomes.app import build as outcomes
from examples.two_stages.app import PLACES
from examples.two_stages.app import build as two_stages
from examples.vpc.app import build as vpc

# As its README says: the places are the user's own.
PLACES.update(dict.fromkeys(PLACES, Environment(account="000000000000", region="us-east-1")))
app = App()
for build in (by_name, many_tests, one_stack, outcomes, two_stages, vpc):
    build(app)
app.synth()
