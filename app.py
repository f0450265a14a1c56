"""The app of ``cdk.json``: see ``cdk_stop_inference_experiment.app``."""

from __future__ import annotations

import sys

try:
    from cdk_stop_inference_experiment.app import main
except ModuleNotFoundError as error:
    sys.exit(
        f"error: {sys.executable} has no module '{error.name}': run 'python3 -m venv .venv && "
        f".venv/bin/pip install cdk-stop-inference-experiment' here, where cdk.json looks for it"
    )

if __name__ == "__main__":
    main()
