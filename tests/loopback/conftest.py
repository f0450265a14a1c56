"""A world for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from loopback.world import World


@pytest.fixture
def world() -> Iterator[World]:
    """A new world with Lambda's real limits."""
    with World().installed() as world:
        yield world
