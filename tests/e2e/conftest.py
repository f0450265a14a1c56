"""One local AWS for all histories, reset before each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from local_aws import LocalAws
from local_aws.settings import Settings
from local_aws.shadow_test import create_shadow_test

from .history import History

QUICK: dict[str, Any] = {"start_seconds": 1.0, "stop_seconds": 10.0, "clock_scale": 60.0}


@pytest.fixture(scope="session")
def running_aws() -> Iterator[LocalAws]:
    """A local AWS on a fast clock, for the whole session."""
    with LocalAws(**QUICK) as aws:
        yield aws


@pytest.fixture
def history(running_aws: LocalAws) -> History:
    """A new stack in an empty account."""
    running_aws.reset()
    scale = running_aws.configure().clock_scale
    running_aws.configure(**{**Settings().to_json(), **QUICK, "clock_scale": scale})
    return History(running_aws)


@pytest.fixture
def shadow_test(history: History) -> str:
    """A running shadow test that no stack created."""
    return create_shadow_test(history.sagemaker)
