"""The environments of the local AWS's process and of the processes that use it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = [
    "ACCOUNT",
    "REGION",
    "ROOT",
    "clock_environment",
    "emulator_environment",
    "python_of",
    "user_environment",
]

ACCOUNT = "000000000000"
REGION = "us-east-1"
ROOT = Path(__file__).resolve().parent.parent
_PYTHONS = {
    "emulator": ("LOCAL_AWS_EMULATOR_PYTHON", ROOT / ".venv-emulator/bin/python"),
    "lambda": ("LOCAL_AWS_LAMBDA_PYTHON", ROOT / ".venv-lambda/bin/python"),
}


def python_of(environment: str) -> Path:
    """Return the interpreter of the ``emulator`` or the ``lambda`` environment.

    Raises:
        FileNotFoundError: It does not exist; the message says how to create it.
    """
    variable, default = _PYTHONS[environment]
    python = Path(os.environ.get(variable) or default)
    if not python.exists():
        raise FileNotFoundError(
            f"the local AWS needs an environment of its own at '{python}': run 'make local-aws', "
            f"or make one from local_aws/requirements-{environment}.txt and set {variable} to "
            "its interpreter"
        )
    return python


def emulator_environment(folder: Path, certificate: Path, key: Path) -> dict[str, str]:
    """Return the environment of the emulator: only PATH comes from the user's.

    An inherited SSL_CERT_FILE, for example, would reach the functions and break their answers.
    """
    data = {name: str(folder / name) for name in ("tmp", "s3", "state")}
    for path in data.values():
        Path(path).mkdir(exist_ok=True)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": data["tmp"],
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": str(certificate),
        "MINISTACK_SSL_KEY": str(key),
        "S3_DATA_DIR": data["s3"],
        "STATE_DIR": data["state"],
        "LAMBDA_EXECUTOR": "local",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # A path without a socket: ministack must not clean up in the user's Docker.
        "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
    }


def clock_environment(origin: float, scale: float, base: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with which the project's command sees the local AWS's time.

    Args:
        origin: The real time at which the clock started.
        scale: How fast it is.
        base: The environment to extend.
    """
    paths = [str(ROOT / "local_aws/command_clock"), base.get("PYTHONPATH", "")]
    return {
        "LOCAL_AWS_CLOCK": f"{origin} {scale}",
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }


def user_environment(
    folder: Path, endpoint_url: str, ca_bundle: Path, base: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment for a program that uses the local AWS and never the real one.

    Args:
        folder: The run's folder; the CDK CLI's own settings and caches go there.
        endpoint_url: The URL of the local AWS.
        ca_bundle: The authority that signed its certificate.
        base: The environment to extend, without its own AWS settings (a profile, a session
            token).
    """
    return {
        **{name: value for name, value in base.items() if not name.startswith("AWS_")},
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_CA_BUNDLE": str(ca_bundle),
        "NODE_EXTRA_CA_CERTS": str(ca_bundle),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Files that do not exist: never use a profile of the user.
        "AWS_CONFIG_FILE": str(folder / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
        "CDK_HOME": str(folder / "cdk"),
        "CDK_DEFAULT_ACCOUNT": ACCOUNT,
        "CDK_DEFAULT_REGION": REGION,
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "1",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
        "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED": "true",
    }
