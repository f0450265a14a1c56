"""What one measured process runs, with the interpreter of Lambda's workers.

python cold_child.py FOLDER MODULE [answer]

Imports a handler as Lambda's runtime does. With ``answer`` it also answers one Create: botocore and
the connections are real, only where the bytes would leave does an answer come back at once.
Standard library first: nothing but the handler decides what is loaded.
"""

from __future__ import annotations

import importlib
import signal
import sys
from typing import Any, TypeAlias

DESCRIPTION = (
    b'{"Arn":"arn:aws:sagemaker:eu-west-1:123456789012:inference-experiment/fraud-shadow",'
    b'"Name":"fraud-shadow","Type":"ShadowMode","Status":"Running",'
    b'"EndpointMetadata":{"EndpointName":"fraud","EndpointStatus":"InService"},'
    b'"ModelVariants":[{"ModelName":"v1","VariantName":"production"},'
    b'{"ModelName":"v2","VariantName":"shadow"}],"RoleArn":"arn:aws:iam::123456789012:role/r",'
    b'"ShadowModeConfig":{"SourceModelVariantName":"production",'
    b'"ShadowModelVariants":[{"ShadowModelVariantName":"shadow"}]}}'
)
FUNCTION_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:stop"
CREATE = {
    "RequestType": "Create",
    "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/fraud/0a1b",
    "RequestId": "request",
    "LogicalResourceId": "Stop",
    "ResponseURL": "https://127.0.0.1/answer?X-Amz-Date=20250615T000000Z",
    "ResourceType": "Custom::StopInferenceExperiment",
    "ResourceProperties": {
        "ServiceToken": FUNCTION_ARN,
        "Name": "fraud-shadow",
        "ModelVariantActions": {"production": "Retain", "shadow": "Remove"},
        "Reason": "now",
    },
}


class Context:
    """What Lambda hands the handler."""

    aws_request_id = "invocation"
    function_name = "stop"
    invoked_function_arn = FUNCTION_ARN
    log_stream_name = "stream"

    def get_remaining_time_in_millis(self) -> int:
        """A quarter of an hour."""
        return 900_000


class Raw:
    """A body as botocore reads it."""

    def stream(self, **_: object) -> list[bytes]:
        """All at once."""
        return [DESCRIPTION]


ANSWERED: list[str] = []
Answer: TypeAlias = Any  # botocore's, which is not loaded before the handler loads it
HANG_SECONDS = 120
"""crhelper repeats its answer without end."""


def cut_connections() -> None:
    """Answer where the bytes would leave."""
    awsrequest: Any = importlib.import_module("botocore.awsrequest")
    httpsession: Any = importlib.import_module("botocore.httpsession")
    pool: Any = importlib.import_module("urllib3.connectionpool").HTTPConnectionPool
    response: Any = importlib.import_module("urllib3").HTTPResponse
    client: Any = importlib.import_module("http.client")

    def send(_session: object, request: Answer) -> Answer:
        return awsrequest.AWSResponse(request.url, 200, {}, Raw())

    def urlopen(_pool: object, _method: str, _url: str, body: bytes = b"", **_: object) -> Answer:
        ANSWERED.append(str(body))
        return response(b"", status=200, preload_content=False)

    class Connection:
        def __init__(self, *_: object, **__: object) -> None:
            self.status, self.reason = 200, "OK"

        def request(self, *, body: str, **_: object) -> None:
            ANSWERED.append(body)

        def getresponse(self) -> Answer:
            return self

    httpsession.URLLib3Session.send = send
    pool.urlopen = urlopen
    client.HTTPSConnection = Connection
    utils: Any = importlib.import_module("crhelper.utils")
    utils.HTTPSConnection = Connection


def main() -> None:
    """Import the handler, and have it answer if asked to."""
    folder, module, *rest = sys.argv[1:]
    sys.path[0] = folder
    signal.alarm(HANG_SECONDS)
    handler = importlib.import_module(module)
    if rest:
        cut_connections()
        handler.handler(CREATE, Context())
        if len(ANSWERED) != 1 or "SUCCESS" not in ANSWERED[0]:
            sys.exit(f"not answered with SUCCESS: {ANSWERED}")
    with open("/proc/self/status") as status:  # noqa: PTH123 - pathlib may not be loaded yet
        print(status.read())


if __name__ == "__main__":
    main()
