"""What the tests use of PyYAML, which has no types."""

from typing import Any

def safe_load(stream: str) -> Any: ...
