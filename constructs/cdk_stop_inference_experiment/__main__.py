"""``python -m cdk_stop_inference_experiment``: the command."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
