"""What holds for all tests."""

from __future__ import annotations

import importlib.util
import os

# CDK validates the templates of each process with an engine that takes seconds of CPU to start.
# test_app.py has it on; test_review.py checks many more templates with cfn-lint and cdk-nag.
os.environ.setdefault("CDK_VALIDATION", "false")

# The same examples in every run, so that only a change makes a test fail. `make fuzz` finds others.
if importlib.util.find_spec("hypothesis") and "FUZZ_EXAMPLES" not in os.environ:
    from hypothesis import settings

    settings.register_profile("the same examples", derandomize=True)
    settings.load_profile("the same examples")
