"""One synthesis for all tests that only read its template."""

from __future__ import annotations

import pytest

from .stacks import EVERY_PROP, Json, declare, new_stack, synthesised


@pytest.fixture(scope="session")
def template() -> Json:
    """A stack with one experiment that declares everything."""
    stack = new_stack()
    declare(stack, **EVERY_PROP)
    return synthesised(stack)
