"""A world for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from loopback.containers import fresh_everything
from loopback.world import World


@pytest.fixture
def world() -> Iterator[World]:
    """A new world with Lambda's real limits, whose containers share nothing."""
    with World(load=fresh_everything).installed() as world:
        yield world
