"""The code of one measured process, which runs with the interpreter of Lambda's workers.

python cold_child.py FOLDER MODULE [answer]

Imports a handler like Lambda's runtime. With ``answer`` it also answers one Create. Everything is
real down to the sockets: clients, connections, TLS contexts with their trusted certificates, HTTP.
Only name lookup, TCP and the TLS handshake are skipped: once for SageMaker and once for the answer,
and for ours, which reads its stack, once for CloudFormation. The request was signed just now, like
a first delivery.
Standard library only, so that only the handler decides what is loaded.
"""

from __future__ import annotations

import importlib
import signal
import sys
import time
from typing import Any

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
SAGEMAKER = "api.sagemaker.eu-west-1.amazonaws.com"
CLOUDFORMATION = "cloudformation.eu-west-1.amazonaws.com"
BUCKET = "cloudformation-custom-resource-response-euwest1.s3.eu-west-1.amazonaws.com"
CREATE = {
    "RequestType": "Create",
    "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/fraud/0a1b",
    "RequestId": "request",
    "LogicalResourceId": "Stop",
    "ResponseURL": f"https://{BUCKET}/answer?X-Amz-Date="
    + time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
    "ResourceType": "Custom::StopInferenceExperiment",
    "ResourceProperties": {
        "ServiceToken": FUNCTION_ARN,
        "Name": "fraud-shadow",
        "ModelVariantActions": {"production": "Retain", "shadow": "Remove"},
        "Reason": "now",
    },
}


class Context:
    """The context that Lambda passes to the handler."""

    aws_request_id = "invocation"
    function_name = "stop"
    invoked_function_arn = FUNCTION_ARN
    log_stream_name = "stream"

    def get_remaining_time_in_millis(self) -> int:
        """15 minutes."""
        return 900_000


def _members(*members: str) -> bytes:
    return "".join(f"<member>{member}</member>" for member in members).encode()


def _event(status: str, physical_id: str, logical_id: str = "fraud") -> str:
    at = time.strftime("%Y-%m-%dT%H:%M:%S.999Z", time.gmtime())
    return (
        f"<StackId>{CREATE['StackId']}</StackId><EventId>{status}{logical_id}</EventId>"
        f"<StackName>fraud</StackName><LogicalResourceId>{logical_id}</LogicalResourceId>"
        f"<PhysicalResourceId>{physical_id}</PhysicalResourceId><Timestamp>{at}</Timestamp>"
        f"<ResourceStatus>{status}</ResourceStatus>"
    )


STACK = (
    b"<DescribeStacksResponse><DescribeStacksResult><Stacks>%s</Stacks></DescribeStacksResult>"
    b"</DescribeStacksResponse>"
    % _members(
        f"<StackId>{CREATE['StackId']}</StackId><StackName>fraud</StackName>"
        "<CreationTime>2026-01-01T00:00:00Z</CreationTime>"
        "<StackStatus>CREATE_IN_PROGRESS</StackStatus>"
    )
)
EVENTS = (
    b"<DescribeStackEventsResponse><DescribeStackEventsResult><StackEvents>%s</StackEvents>"
    b"</DescribeStackEventsResult></DescribeStackEventsResponse>"
    % _members(
        _event("CREATE_IN_PROGRESS", "", "Stop"),
        _event("CREATE_IN_PROGRESS", str(CREATE["StackId"])),
    )
)
ANSWERS = {SAGEMAKER: [DESCRIPTION], CLOUDFORMATION: [STACK, EVENTS], BUCKET: [b""]}
"""The bodies by host, in the order of the calls."""

HANG_SECONDS = 120
"""crhelper retries its answer forever."""


def cut_connections() -> list[tuple[str, bytes]]:
    """Make every connection return a prepared answer.

    Returns:
        The called hosts, with the requests; grows with the calls.
    """
    # The handler has already loaded all of these.
    sockets: Any = importlib.import_module("socket")
    tls: Any = importlib.import_module("ssl")
    urllib3_connection: Any = importlib.import_module("urllib3.util.connection")
    calls: list[tuple[str, bytes]] = []
    to_come = {host: [*bodies] for host, bodies in ANSWERS.items()}

    class Socket(sockets.socket):  # type: ignore[misc]
        """Our end, which acts as a TLS socket."""

        host = ""
        request = b""
        far: Any = None

        def sendall(self, data: bytes, *flags: int) -> None:
            """Send; a whole request is answered, and the connection stays open."""
            super().sendall(data, *flags)
            self.request += bytes(data)
            head, blank, body = self.request.partition(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            lengths = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
            if blank and len(body) >= sum(lengths):
                calls.append((self.host, self.request))
                self.request = b""
                bodies = to_come[self.host]
                answer = bodies.pop(0) if len(bodies) > 1 else bodies[0]
                head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer)
                self.far.sendall(head + answer)

        def getpeercert(self) -> dict[str, object]:
            """A certificate for the requested host."""
            return {"subjectAltName": (("DNS", self.host),)}

        def setsockopt(self, *_: object) -> None:
            """Do nothing: a socket pair has no TCP options."""

    def connect(address: tuple[str, int], *_: object, **__: object) -> Socket:
        near, far = sockets.socketpair()
        connected = Socket(fileno=near.detach())
        connected.host, connected.far = address[0], far
        return connected

    def wrap(context: Any, connected: Socket, **_: object) -> Socket:  # noqa: ANN401 - SSLContext
        if context.verify_mode is not tls.CERT_REQUIRED:
            sys.exit(f"{connected.host} is not verified")
        return connected

    sockets.create_connection = connect
    urllib3_connection.create_connection = connect
    tls.SSLContext.wrap_socket = wrap
    return calls


def main() -> None:
    """Import the handler; with ``answer``, let it answer."""
    folder, module, *rest = sys.argv[1:]
    sys.path[0] = folder
    signal.alarm(HANG_SECONDS)
    handler = importlib.import_module(module)
    if rest:
        calls = cut_connections()
        handler.handler(CREATE, Context())
        looked = [host for host, _ in calls if host != CLOUDFORMATION]
        if looked != [SAGEMAKER, BUCKET] or b"SUCCESS" not in calls[-1][1]:
            sys.exit(f"not one look and one SUCCESS: {calls}")
    with open("/proc/self/status") as status:  # noqa: PTH123 - pathlib may not be loaded yet
        print(status.read())


if __name__ == "__main__":
    main()
