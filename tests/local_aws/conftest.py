"""One local AWS for all tests of this folder, emptied before each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from local_aws import LocalAws
from local_aws.settings import Settings

from . import functions

FunctionMaker = Callable[..., str]
QUICK: dict[str, Any] = {
    "start_seconds": 0.1,
    "stop_seconds": 0.5,
    "minute_seconds": 1.0,
    "nested_failure_seconds": 0.2,
}


@pytest.fixture(scope="session")
def running_aws() -> Iterator[LocalAws]:
    """A local AWS on a fast clock, for the whole session."""
    with LocalAws(**QUICK) as aws:
        yield aws


@pytest.fixture
def aws(running_aws: LocalAws) -> LocalAws:
    """The running local AWS without any resource, fault or logged call, on its usual settings."""
    running_aws.reset()
    running_aws.configure(**{**Settings().to_json(), **QUICK})
    return running_aws


@pytest.fixture
def make_function(aws: LocalAws) -> FunctionMaker:
    """Returns a function that makes a Lambda function out of its source and returns its ARN."""
    return partial(functions.make_function, aws)
