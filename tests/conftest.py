"""What holds for all tests."""

from __future__ import annotations

import os

# CDK validates the templates of each process with an engine that takes seconds of CPU to start.
# test_app.py has it on; test_review.py checks many more templates with cfn-lint and cdk-nag.
os.environ.setdefault("CDK_VALIDATION", "false")
