"""``LocalAws``: the local AWS as a context manager, for tests, the demo and benchmarks."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

from local_aws.control import Call, Control
from local_aws.environment import (
    REGION,
    clock_environment,
    emulator_environment,
    python_of,
    user_environment,
)
from local_aws.process import EmulatorProcess, LocalAwsError
from local_aws.settings import Settings

__all__ = ["LocalAws", "LocalAwsError"]

Client: TypeAlias = Any  # boto3 creates its clients at run time, without types.
Option: TypeAlias = Any  # Checked by the emulator.

_READY_SECONDS = 30.0


class LocalAws:
    """A local AWS on a loopback port; it ends at the end of the block, with all that it started.

    Example:
        >>> with LocalAws(stop_seconds=1) as aws:
        ...     aws.client("sagemaker").list_inference_experiments()
    """

    def __init__(
        self,
        *,
        emulator_python: str | Path | None = None,
        lambda_python: str | Path | None = None,
        port: int = 0,
        **settings: Option,
    ) -> None:
        """Prepare a run; it starts at the beginning of the block.

        Args:
            emulator_python: The interpreter with ministack. Default: LOCAL_AWS_EMULATOR_PYTHON,
                else ``.venv-emulator`` at the repository's root.
            lambda_python: The interpreter that functions run with. Default:
                LOCAL_AWS_LAMBDA_PYTHON, else ``.venv-lambda`` at the repository's root.
            port: The loopback port. Default: 0, the system chooses a free one.
            settings: Fields of ``Settings``, such as ``stop_seconds`` and ``minute_seconds``.

        Raises:
            ValueError: A setting is unknown or out of range.
        """
        self._emulator_python = emulator_python
        self._lambda_python = lambda_python
        self._port = port
        self._settings = Settings().changed(settings)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: EmulatorProcess | None = None

    def __enter__(self) -> LocalAws:  # noqa: PYI034 (typing.Self needs Python 3.11)
        """Start the local AWS and wait until it answers."""
        emulator_python = Path(self._emulator_python or python_of("emulator"))
        lambda_python = Path(self._lambda_python or python_of("lambda"))
        # Ignore errors: a function that is being killed may still write there.
        self._folder = tempfile.TemporaryDirectory(prefix="local-aws-", ignore_cleanup_errors=True)
        try:
            self._start(Path(self._folder.name), emulator_python, lambda_python)
        except BaseException:  # Also on Ctrl-C: everything that was started must end.
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """End the local AWS and everything it started."""
        self.stop()

    def stop(self) -> None:
        """End the local AWS and remove its files; does nothing the second time."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    @property
    def pid(self) -> int:
        """The process id of the server, the leader of its workers' process group."""
        return self._running().pid

    @property
    def log(self) -> str:
        """The end of the server's own log, for a failure's message."""
        return self._running().log_tail()

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment variables for a child process that uses the local AWS.

        Args:
            base: The environment to extend, such as ``os.environ``. Its ``AWS_*`` are removed, so
                that no profile or session token of the user is used.
                Default: nothing, only the local AWS's own variables are returned.
        """
        self._running()
        bundle = self._certificates.ca_bundle
        found = user_environment(self._path(), self.endpoint_url, bundle, base or {})
        if self._settings.clock_scale == 1:
            return found
        origin, scale = self._control.send("GET", "clock")
        return {**found, **clock_environment(origin, scale, base or {})}

    def client(self, service: str, **options: Option) -> Client:
        """Return a boto3 client for the local AWS that does not read the user's ``~/.aws``.

        Args:
            service: The service's name in boto3, such as ``sagemaker``.
            options: Arguments of ``boto3.Session.client``, such as ``aws_access_key_id`` for a
                caller other than the account's root.
        """
        self._running()
        defaults = {
            "region_name": REGION,
            "endpoint_url": self.endpoint_url,
            "verify": str(self._certificates.ca_bundle),
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
        }
        make: Callable[..., Client] = self._session.client
        return make(service, **{**defaults, **options})

    @cached_property
    def _session(self) -> Client:
        """The session of all clients, so that each service's model is read once."""
        # Not at the top: boto3 takes half a second to load, and the emulator does not have it.
        import boto3  # noqa: PLC0415
        import botocore.session  # noqa: PLC0415

        bare = botocore.session.Session(
            # Ignore endpoints and profiles in files and variables.
            session_vars={
                "profile": (None, None, None, None),
                "config_file": (None, None, "", None),
            }
        )
        return boto3.Session(botocore_session=bare)

    def calls(self, operation: str | None = None) -> list[Call]:
        """Return the calls of SageMaker and CloudWatch since the start or reset, oldest first.

        Args:
            operation: Only calls of this operation. Default: all.
        """
        query = f"?operation={operation}" if operation else ""
        return [Call(**call) for call in self._control.send("GET", f"calls{query}")]

    def configure(self, **settings: Option) -> Settings:
        """Change settings while it runs, and return all of them; running operations do not change.

        Raises:
            LocalAwsError: A setting is unknown or out of range.
        """
        return Settings().changed(self._control.send("POST", "settings", settings))

    def fail(self, operation: str, error_code: str | None = None, **details: Option) -> None:
        """Answer the next calls of SageMaker or CloudWatch with an error, late, or both.

        Args:
            operation: Such as ``DescribeInferenceExperiment``.
            error_code: Such as ``ThrottlingException``. Default: none, the call goes through.
            details: ``message``, ``http_status`` (400), ``delay_seconds`` (0), ``times`` (1), or
                ``seconds`` for as long as that instead of a number of times.
        """
        order = {"operation": operation, "error_code": error_code, **details}
        self._control.send("POST", "faults", order)

    def end_experiment(
        self, name: str, *, status: str = "Cancelled", status_reason: str | None = None
    ) -> None:
        """End an experiment now, like an unexpected error or another user.

        Args:
            name: The experiment's name.
            status: Completed or Cancelled. Default: Cancelled.
            status_reason: Its StatusReason. Default: none.

        Raises:
            LocalAwsError: There is no such experiment.
        """
        order = {"name": name, "status": status, "status_reason": status_reason}
        self._control.send("POST", "experiments/end", order)

    def fail_endpoint_update(
        self, name: str, *, failure_reason: str, status: str = "InService"
    ) -> None:
        """Make the next update of an endpoint fail, such as the one after a stop.

        The endpoint keeps serving the same variants, with a FailureReason; an experiment whose stop
        caused the update ends as requested.

        Args:
            name: The endpoint's name; LocalAwsError if there is none.
            failure_reason: Its FailureReason.
            status: Its status after the update. Default: InService, as after a rolled back update.
        """
        order = {"name": name, "status": status, "failure_reason": failure_reason}
        self._control.send("POST", "endpoints/fail-update", order)

    def scale_variant(
        self, name: str, variant: str, *, current: int, desired: int | None = None
    ) -> None:
        """Make a variant run a different number of instances than configured, like autoscaling.

        Args:
            name: The endpoint's name; LocalAwsError if there is none.
            variant: The variant's name.
            current: Its CurrentInstanceCount from now on.
            desired: Its DesiredInstanceCount. Default: the same.
        """
        wanted = current if desired is None else desired
        order = {"name": name, "variant": variant, "current": current, "desired": wanted}
        self._control.send("POST", "endpoints/scale", order)

    def traffic(
        self, endpoint_name: str = "fraud", *, hours: float = 0.0, **variants: Mapping[str, Option]
    ) -> None:
        """Give an endpoint's variants traffic from now on, until the next call.

        SageMaker writes their metrics each minute. Without this, an endpoint has no traffic.

        Args:
            endpoint_name: Default: fraud.
            hours: How long they have already had it. The endpoint's experiments have started at
                least as long ago. Default: 0.
            variants: Fields of ``Traffic`` by the variant's name: ``requests`` (in a minute),
                ``latency_ms`` (the median), ``latency_spread`` (the standard deviation of its
                logarithm), ``slow_ms`` (of the slowest 2 %, so p99), ``errors_4xx``,
                ``errors_5xx``, ``model_errors`` (shares), ``burst`` (how many errors come at once),
                ``lacks`` (metrics that are missing).
        """
        told = {name: dict(traffic) for name, traffic in variants.items()}
        order = {"endpoint": endpoint_name, "variants": told, "hours": hours}
        self._control.send("POST", "traffic", order)

    def reset(self) -> None:
        """Delete every resource, call and fault, and end the functions' workers.

        Settings do not change.
        """
        self._control.send("POST", "reset")

    def _start(self, folder: Path, emulator_python: Path, lambda_python: Path) -> None:
        # Not at the top: the emulator's environment imports this package without trustme.
        from local_aws.certificates import issue  # noqa: PLC0415

        self._certificates = certificates = issue(folder)
        options = {
            "--port": self._port,
            "--certificate": certificates.certificate,
            "--key": certificates.key,
            "--ca-bundle": certificates.ca_bundle,
            "--lambda-python": lambda_python.absolute(),
            "--settings": json.dumps(self._settings.to_json()),
        }
        command = [str(emulator_python.absolute()), "-m", "local_aws.emulator"]
        command += [str(part) for option in options.items() for part in option]
        self._process = EmulatorProcess(
            command,
            emulator_environment(folder, certificates.certificate, certificates.key),
            folder / "server.log",
        )
        port = self._process.wait_until_ready(_READY_SECONDS)
        self.endpoint_url = f"https://127.0.0.1:{port}"
        self._control = Control(self.endpoint_url, certificates.client_context())

    def _path(self) -> Path:
        assert self._folder is not None
        return Path(self._folder.name)

    def _running(self) -> EmulatorProcess:
        if self._process is None:
            raise LocalAwsError("the local AWS runs only inside its 'with' block")
        return self._process
