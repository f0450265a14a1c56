"""The pinned ministack still has every private name that the emulator patches or calls."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from local_aws.emulator.private_names import PRIVATE_NAMES
from local_aws.environment import python_of

ROOT = Path(__file__).resolve().parents[2]
EMULATOR = ROOT / "local_aws/emulator"


def moved(before: str = "") -> str:
    """Return what the emulator's own environment says has moved."""
    program = f"from local_aws.emulator import private_names\n{before}\n"
    program += "print('; '.join(private_names.moved()))"
    answer = subprocess.run(
        [str(python_of("emulator")), "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout.strip()


def test_has_every_name_with_its_parameters() -> None:
    assert moved() == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "from ministack.services import eventbridge; del eventbridge._parse_rate_seconds",
            "ministack.services.eventbridge has no _parse_rate_seconds",
        ),
        (
            "from ministack.services import lambda_svc as it; it._provided_worker_env = lambda: {}",
            "_provided_worker_env takes [], expected ['config', 'code_dir', 'port']",
        ),
    ],
)
def test_tells_when_a_name_is_gone_or_takes_other_parameters(change: str, said: str) -> None:
    assert said in moved(change)


def test_lists_every_private_name_that_the_code_uses() -> None:
    """Every ``module._name`` of a ministack module in our code is in the list."""
    sources = "\n".join(path.read_text() for path in EMULATOR.glob("*.py"))
    modules = {name.rsplit(".", 1)[1]: names for name, names in PRIVATE_NAMES.items()}
    modules["ministack_app"] = modules["app"]
    for module, name in re.findall(r"\b([a-z_]+)\.(_[A-Za-z_]+)\b", sources):
        if module in modules:
            assert name in modules[module], f"{module}.{name}"
