"""Runs Python functions through AWS's own runtime interface client.

ministack has a worker for custom runtimes that serves Lambda's Runtime API over HTTP. Python
functions get that worker too, with a ``bootstrap`` that starts ``awslambdaric`` in the workers' own
environment, so handlers meet the real client, the real context object and the real log format.
"""

# ruff: noqa: SLF001 (ministack's private names, each listed in private_names.py)
from __future__ import annotations

import io
import shlex
import zipfile
from pathlib import Path
from typing import Any, TypeAlias

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local_aws.emulator import lambda_logs, scaled_runtime
from local_aws.emulator.clock import Clock

__all__ = ["install"]

WorkerClass: TypeAlias = Any  # ministack is untyped.

# A function's environment on Lambda (developer guide, "Defined runtime environment variables"), as
# far as ministack's worker has it. No other variable of the emulator's process is passed on.
_FROM_MINISTACK = (
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
)

_DEFAULT_TIMEOUT = 3
"""Seconds (Lambda developer guide, "Configure Lambda function timeout")."""


def install(*, lambda_python: Path, endpoint_url: str, ca_bundle: Path, clock: Clock) -> None:
    """Make ministack run ``python*`` functions with ``awslambdaric``.

    Args:
        lambda_python: The interpreter of the workers' environment, for every Python runtime.
        endpoint_url: The URL of the local AWS.
        ca_bundle: The certificate authority for it.
        clock: Their clock.
    """
    client = ["-m", "awslambdaric"]
    if clock.scale != 1:
        client = [scaled_runtime.__file__, str(clock.origin), str(clock.scale)]
    # -s ignores the user's packages; -B keeps the package folder clean, which is read-only on
    # Lambda; -u does not buffer log lines, like Lambda.
    command = shlex.join(["exec", str(lambda_python), "-s", "-B", "-u", *client])
    bootstrap = f'#!/bin/sh\n{command} "$_HANDLER"\n'
    added = {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_CA_BUNDLE": str(ca_bundle),
        "SSL_CERT_FILE": str(ca_bundle),
    }
    _install_worker(bootstrap, clock)
    _install_environment(added)
    lambda_logs.install()


def _install_worker(bootstrap: str, clock: Clock) -> None:
    """Run Python functions with the worker for custom runtimes and our bootstrap."""

    class RuntimeClientWorker(lambda_runtime.ProvidedWorker):  # type: ignore[misc] # untyped base
        def __init__(self, func_name: str, config: dict[str, Any], code_zip: bytes) -> None:
            if clock.scale != 1:
                seconds = clock.real(config.get("Timeout", _DEFAULT_TIMEOUT))
                config = {**config, "Timeout": seconds}
            super().__init__(func_name, config, _with_bootstrap(code_zip, bootstrap))

    other_class = lambda_runtime._worker_class_for
    other_execution = lambda_svc._execute_function_warm

    def worker_class_for(config: dict[str, Any]) -> WorkerClass:
        return RuntimeClientWorker if _is_python(config) else other_class(config)

    def execute_function_warm(
        func: dict[str, Any], event: object, request_id: str
    ) -> dict[str, Any]:
        provided = _is_python(func.get("config") or func)
        execute = lambda_svc._execute_function_provided_warm if provided else other_execution
        result: dict[str, Any] = execute(func, event, request_id)
        return result

    lambda_runtime._worker_class_for = worker_class_for
    lambda_svc._execute_function_warm = execute_function_warm


def _install_environment(added: dict[str, str]) -> None:
    """Give Python functions Lambda's environment instead of the emulator's."""
    other_environment = lambda_svc._provided_worker_env

    def provided_worker_env(config: dict[str, Any], code_dir: str, port: int) -> dict[str, str]:
        theirs: dict[str, str] = other_environment(config, code_dir, port)
        if not _is_python(config):
            return theirs
        return {
            "LANG": "en_US.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "TZ": ":UTC",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": lambda_logs.log_group(config),
            **_log_format(config),
            **{name: theirs[name] for name in _FROM_MINISTACK},
            **added,
            **lambda_svc._runtime_env_vars(config),
        }

    lambda_svc._provided_worker_env = provided_worker_env


def _log_format(config: dict[str, Any]) -> dict[str, str]:
    """Return the variables with which Lambda configures structured logging."""
    logging = config.get("LoggingConfig") or {}
    if logging.get("LogFormat") != "JSON":
        return {}
    level = logging.get("ApplicationLogLevel", "INFO")
    return {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": level}


def _is_python(config: dict[str, Any]) -> bool:
    return str(config.get("Runtime", "")).startswith("python")


def _with_bootstrap(code_zip: bytes, bootstrap: str) -> bytes:
    """Return a deployment package with the executable for custom runtimes."""
    package = io.BytesIO(code_zip)
    with zipfile.ZipFile(package, "a") as archive:
        # With a fixed date, equal packages stay equal, and ministack unpacks them only once.
        archive.writestr(zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0)), bootstrap)
    return package.getvalue()
