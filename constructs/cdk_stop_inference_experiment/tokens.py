"""Recognises values that are only known at deployment."""

from __future__ import annotations

import sys

from aws_cdk import Token

_LOOKED_UP_NEXT = "dummy-value-for-"
"""How ``ssm.StringParameter.value_from_lookup`` starts a value that the CLI has yet to look up.

The CLI then looks it up and runs the app again; if the app fails, it never does. See
https://docs.aws.amazon.com/cdk/v2/guide/context.html
"""


def is_unresolved(value: object) -> bool:
    """Whether a value is a token or a string that contains one, so that synth cannot check it.

    So is the dummy of a context lookup. Only values that can be tokens are passed to jsii, which
    refuses arbitrary Python objects and is slow for strings. In a string, a token looks like
    ``${Token[...]}``.
    """
    if is_looked_up_next(value):
        return True
    if isinstance(value, bool) or (isinstance(value, str) and "${" not in value):
        return False
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value) and Token.is_unresolved(value)
    if isinstance(value, (int, float)):
        # JSON has no NaN and no infinity: jsii ends if it gets one. A number token is a float.
        return abs(value) <= sys.float_info.max and Token.is_unresolved(value)
    if isinstance(value, str) or (is_of_jsii(value) and hasattr(value, "resolve")):
        return Token.is_unresolved(value)
    return False


def is_of_jsii(value: object) -> bool:
    """Whether jsii can take an object: it cannot take just any of Python's."""
    if isinstance(value, type):
        return False
    return hasattr(value, "__jsii_ref__") or hasattr(type(value), "__jsii_ifaces__")


def known_text(value: object) -> str | None:
    """The string if it is known at synth, else None."""
    return value if isinstance(value, str) and not is_unresolved(value) else None


def is_looked_up_next(value: object) -> bool:
    """Whether a string contains a dummy, which this synth's template has instead of the value."""
    return isinstance(value, str) and _LOOKED_UP_NEXT in value
