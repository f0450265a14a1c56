"""Lets the project's command see the local AWS's time, if its clock is scaled.

Python imports this module at its start if this folder is on PYTHONPATH. It changes nothing in other
programs, and then imports the ``sitecustomize`` that it hides, if there is one.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent
_COMMANDS = ("stop-inference-experiment", "cdk_stop_inference_experiment")


def _is_the_command() -> bool:
    words = getattr(sys, "orig_argv", [])
    return any(name in Path(word).name for name in _COMMANDS for word in words[:3])


def _import_hidden() -> None:
    others = [entry for entry in sys.path if not entry or Path(entry).resolve() != _FOLDER]
    own, path = sys.modules.pop(__name__, None), sys.path[:]
    sys.path[:] = others
    try:
        importlib.import_module(__name__)
    except ImportError:
        if own is not None:
            sys.modules[__name__] = own
    finally:
        sys.path[:] = path


if (clock := os.environ.get("LOCAL_AWS_CLOCK")) and _is_the_command():
    origin, scale = clock.split()
    runtime = runpy.run_path(str(_FOLDER.parent / "emulator/scaled_runtime.py"))
    runtime["scale_time"](float(origin), float(scale))
_import_hidden()
