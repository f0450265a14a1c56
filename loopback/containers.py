"""Containers: the handler's module with fresh state, and its log lines."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any
from unittest import mock

from .function import Handler

INDEX = "cdk_stop_inference_experiment_handler.index"
_OURS = ("cdk_stop_inference_experiment_handler", "crhelper")

_spec = importlib.util.find_spec("cdk_stop_inference_experiment_handler")
assert _spec is not None
assert _spec.submodule_search_locations is not None

ENVIRONMENT = {
    # The function's own model of SageMaker.
    "AWS_DATA_PATH": "$LAMBDA_TASK_ROOT/cdk_stop_inference_experiment_handler/models",
    "LAMBDA_TASK_ROOT": str(Path(_spec.submodule_search_locations[0]).parent),
    "AWS_ACCESS_KEY_ID": "loopback",
    "AWS_SECRET_ACCESS_KEY": "loopback",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def fresh_index() -> Handler:
    """A cold container: ``index.py`` is run again, since it has all the state of the handler.

    The other modules are shared, so that thousands of containers are cheap.
    """
    spec, code = _index()
    module = importlib.util.module_from_spec(spec)
    exec(code, vars(module))
    handler: Handler = module.handler
    return handler


@functools.cache
def _index() -> tuple[ModuleSpec, CodeType]:
    spec = importlib.util.find_spec(INDEX)
    assert spec is not None
    assert isinstance(spec.loader, InspectLoader)
    code = spec.loader.get_code(INDEX)
    assert code is not None
    return spec, code


def fresh_everything(module_name: str = INDEX) -> Handler:
    """A cold container in every detail: the handler's package and crhelper are imported again."""
    handler: Handler = fresh_module(module_name).handler
    return handler


def fresh_module(module_name: str) -> ModuleType:
    """A module imported again, together with crhelper and the handler's package."""
    before = {name: module for name, module in sys.modules.items() if _is_ours(name, module_name)}
    for name in before:
        del sys.modules[name]
    try:
        return importlib.import_module(module_name)
    finally:
        for name in [name for name in sys.modules if _is_ours(name, module_name)]:
            del sys.modules[name]
        sys.modules.update(before)


def _is_ours(name: str, asked_for: str) -> bool:
    return name == asked_for or name.partition(".")[0] in _OURS


class JsonLines(logging.Formatter):
    """Formats a record like Lambda's ``LogFormat: JSON``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        line = {
            "level": record.levelname,
            "message": record.msg if isinstance(record.msg, dict) else record.getMessage(),
            "logger": record.name,
            **{name: value for name, value in vars(record).items() if name not in _RESERVED},
        }
        if record.exc_info:
            line["stackTrace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


_RESERVED = frozenset(vars(logging.makeLogRecord({})))


_set_level = logging.Logger.setLevel


def _set_another_level(logger: logging.Logger, level: int | str) -> None:
    """``setLevel``, but only if the level changes: it clears the cache of every logger."""
    if logging.getLevelName(logger.level) not in (level, logging.getLevelName(level)):
        _set_level(logger, level)


class LambdaLogs(logging.Handler):
    """The handler that Lambda's runtime adds to the root logger."""

    def __init__(self, write: Callable[[str, str], None]) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line as it would be stored."""
        self._write(record.name, self.format(record))


@contextmanager
def lambda_runtime(write: Callable[[str, str], None]) -> Iterator[None]:
    """Lambda's environment and logging, restored at the end."""
    root = logging.getLogger()
    touched = [logging.getLogger(name) for name in ("boto", "boto3", "botocore", "urllib3")]
    levels = [(logger, logger.level) for logger in [root, *touched]]
    handlers, root.handlers = root.handlers, [LambdaLogs(write)]
    before: dict[str, Any] = {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ.update(ENVIRONMENT)
    try:
        with mock.patch.object(logging.Logger, "setLevel", _set_another_level):
            yield
    finally:
        root.handlers = handlers
        for logger, level in levels:
            _set_another_level(logger, level)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
