"""What section 3.2 of the behaviour contract makes of each recording, read by hand.

All of it is about ``load(name).with_past()``: a recording together with what a replay puts in, so
a first ``("CREATE", "succeeded")`` is often put in. A nested stack has its root's operations and
outcomes. Times are those of the recording.
"""

from __future__ import annotations

from typing import NamedTuple

Operation = tuple[str, str]
"""How it began, and its outcome: ``succeeded``, ``undone``, ``broken`` or ``under way``.

``deleted`` is a DELETE that its stack completed. The contract has no word for it: nothing is asked
after it.
"""

_CREATED = [("CREATE", "succeeded")]
_UPDATED = [("CREATE", "succeeded"), ("UPDATE", "succeeded")]
_UNDONE = [("CREATE", "succeeded"), ("UPDATE", "undone")]
_UPDATING = [("CREATE", "succeeded"), ("UPDATE", "under way")]
_DELETING = [("CREATE", "succeeded"), ("DELETE", "under way")]

OPERATIONS: dict[str, dict[str, list[Operation]]] = {
    "ansible-basic-s3-stack": {"root": _CREATED},
    "ansible-on-create-failure-delete": {"root": [("CREATE", "broken"), ("DELETE", "deleted")]},
    "ansible-on-create-failure-do-nothing": {"root": [("CREATE", "broken")]},
    "ansible-on-create-failure-rollback": {"root": [("CREATE", "undone")]},
    "cleanup-delete-is-abandoned": {"root": _UPDATED},
    "create-fails-on-failure-delete": {"root": [("CREATE", "broken"), ("DELETE", "deleted")]},
    "create-succeeds": {"root": _CREATED},
    # REVIEW_IN_PROGRESS begins no operation.
    "create-with-custom-resources": {
        "root": _CREATED,
        "data": _CREATED,
        "storage": _CREATED,
        "person": _CREATED,
        "post": _CREATED,
    },
    "delete-fails-then-deleted": {
        # ROLLBACK_FAILED, DELETE_FAILED, DELETE_COMPLETE.
        "root": [("CREATE", "broken"), ("DELETE", "broken"), ("DELETE", "deleted")],
    },
    # The nested stacks say DELETE_COMPLETE; their root's was not printed.
    "delete-with-custom-resources": {
        "root": _DELETING,
        "data": _DELETING,
        "storage": _DELETING,
        "person": _DELETING,
        "post": _DELETING,
    },
    "hook-events": {"root": _UPDATING},
    "nested-creation-fails-in-update": {"root": _UPDATING},
    "nested-failure-travels-up": {"root": _UPDATING, "middle": _UPDATING},
    "nested-siblings-cancelled": {"root": _UNDONE},
    "nested-siblings-told-to-roll-back": {
        "root": _UPDATING,
        "Voucher": _UPDATING,
        "Retailer": _UPDATING,
    },
    # Two of the nested stacks are new; what their root did before counts for them, too.
    "nested-update-adds-resources": {
        "root": _UPDATED,
        "data": _UPDATED,
        "storage": _UPDATED,
        "function": _UPDATED,
    },
    "nested-update-fails-and-rolls-back": {"root": _UNDONE, "auth": _UNDONE},
    # Two of the nested stacks begin a DELETE of their own in the root's clean-up: no operation.
    "nested-update-removes-resources-cleanup": {
        "root": _UPDATED,
        "data": _UPDATED,
        "storage": _UPDATED,
        "function": _UPDATED,
    },
    "nested-update-with-cleanup": {"root": _UPDATED, "data": _UPDATED},
    "replacement-order": {"root": _UPDATING},
    "update-adds-resource-create-fails-rollback": {"root": _UNDONE},
    "update-answers-another-physical-id": {"root": _UPDATING},
}


COMPLETIONS: dict[str, dict[tuple[str, str], list[float]]] = {
    "ansible-basic-s3-stack": {("root", "MyBucket"): [24.876]},
    "ansible-on-create-failure-delete": {("root", "ECRRepo"): []},
    "ansible-on-create-failure-do-nothing": {("root", "ECRRepo"): []},
    "ansible-on-create-failure-rollback": {("root", "ECRRepo"): []},
    "create-fails-on-failure-delete": {
        ("root", "AuthApplication"): [10.577],
        ("root", "AuthGrant"): [],
    },
    "create-succeeds": {
        ("root", "AuthAPI"): [8.956],
        ("root", "AuthApplication"): [10.332],
        ("root", "AuthGrant"): [16.943],
    },
    "create-with-custom-resources": {
        ("data", "SchemaAutoDelete"): [77.185],
        ("data", "AssetsAutoDelete"): [77.083],
        ("data", "SchemaDeployment"): [102.012],
        ("data", "AssetsDeployment"): [102.213],
        ("storage", "BucketAutoDelete"): [89.576],
        ("storage", "BucketNotifications"): [106.706],
        ("person", "PersonTable"): [147.615],
        ("post", "PostTable"): [172.244],
    },
    "delete-fails-then-deleted": {("root", "BrokenPolicy"): []},
    "delete-with-custom-resources": {
        ("data", "AssetsDeployment"): [],
        ("post", "PostTable"): [],
    },
    "hook-events": {("root", "CompliantS3Bucket"): []},
    "nested-siblings-cancelled": {("root", "JetsPublicController"): []},
    # All of the clean-up's second UPDATE_COMPLETE follow another UPDATE_COMPLETE: no completions.
    "nested-update-adds-resources": {
        ("root", "MyCustomResources"): [3.929],
        ("root", "auth"): [4.011],
        ("root", "data"): [27.056],
        ("root", "function"): [50.544],
        ("root", "storage"): [112.688],
        ("data", "tables"): [10.95],
        ("data", "post"): [12.575],
        ("data", "person"): [12.751],
        ("data", "connection"): [14.225],
        ("storage", "BucketAutoDelete"): [85.158],
        ("storage", "BucketNotifications"): [102.61],
    },
    # The second of MyCustomResources, and those of auth and UserPool, are under the rollback.
    "nested-update-fails-and-rolls-back": {
        ("root", "MyCustomResources"): [3.311, 16.284],
        ("root", "auth"): [26.622],
        ("auth", "UserPool"): [22.028],
    },
    "nested-update-removes-resources-cleanup": {
        ("root", "MyCustomResources"): [3.377],
        ("root", "auth"): [3.441],
        ("root", "data"): [15.088],
        ("data", "tables"): [9.765],
        ("data", "person"): [11.495],
        ("data", "post"): [11.511],
        ("data", "connection"): [13.134],
        ("storage", "BucketAutoDelete"): [],
        ("storage", "BucketNotifications"): [],
    },
    "nested-update-with-cleanup": {
        ("root", "auth"): [3.431],
        ("root", "MyCustomResources"): [3.581],
        ("root", "data"): [15.103],
        ("data", "tables"): [9.62],
        ("data", "person"): [11.192],
        ("data", "post"): [11.324],
        ("data", "connection"): [12.692],
    },
    "replacement-order": {("root", "MyQueue"): [1.0, 3.0]},
    "update-adds-resource-create-fails-rollback": {
        ("root", "AuthApplication"): [92.807],
        ("root", "AuthGrant"): [],
    },
    "update-answers-another-physical-id": {("root", "Resource"): [2.0]},
}
"""Of a resource, by stack and logical id: when it completed, in the recorded part."""

UNDER_A_ROLLBACK = {
    ("nested-update-fails-and-rolls-back", "root", "MyCustomResources", 16.284),
    ("nested-update-fails-and-rolls-back", "root", "auth", 26.622),
    ("nested-update-fails-and-rolls-back", "auth", "UserPool", 22.028),
}
"""Which of the completions came when the stack, or its root, was rolling back."""

REQUEST = "request"
BEFORE = "before"
NOTHING = "nothing"


class Request(NamedTuple):
    """What the history says when a resource is updated or deleted.

    Attributes:
        at: When its *_IN_PROGRESS was written. Later events are not there yet.
        operations: Up to then.
        base: Which of them is the base: never the one under way, though it may say already that it
            succeeded (a clean-up).
        deployed: What is deployed: ``request`` if the request says it (OldResourceProperties of an
            Update), ``before`` if a completion with these properties says it, ``nothing`` if it was
            never deployed.
    """

    recording: str
    stack: str
    logical_id: str
    at: float
    operations: list[Operation]
    base: int | None
    never_deployed: bool
    deployed: str


_FAILS = "nested-update-fails-and-rolls-back"
_ADDS = "update-adds-resource-create-fails-rollback"
_CREATE_FAILS = "create-fails-on-failure-delete"
_REMOVES = "nested-update-removes-resources-cleanup"
_BROKEN_CREATION = [("CREATE", "broken"), ("DELETE", "under way")]

REQUESTS = [
    Request(_FAILS, "auth", "UserPool", 6.155, _UPDATING, 0, False, REQUEST),
    Request(_FAILS, "auth", "UserPool", 20.074, _UPDATING, 0, False, BEFORE),
    Request(_FAILS, "root", "MyCustomResources", 2.719, _UPDATING, 0, False, REQUEST),
    # It completed with what is being undone.
    Request(_FAILS, "root", "MyCustomResources", 16.006, _UPDATING, 0, False, BEFORE),
    Request(_FAILS, "root", "auth", 15.983, _UPDATING, 0, False, BEFORE),
    # The rollback's clean-up: the stack has said UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS.
    Request(_ADDS, "root", "AuthGrant", 129.452, _UNDONE, 0, True, NOTHING),
    Request(_ADDS, "root", "AuthApplication", 132.707, _UNDONE, 0, True, NOTHING),
    # OnFailure=DELETE: no base, and the stack's first event is there.
    Request(_CREATE_FAILS, "root", "AuthGrant", 43.444, _BROKEN_CREATION, None, True, NOTHING),
    Request(_CREATE_FAILS, "root", "AuthApplication", 46.95, _BROKEN_CREATION, None, True, NOTHING),
    Request(
        "ansible-on-create-failure-delete",
        "root",
        "ECRRepo",
        16.23,
        _BROKEN_CREATION,
        None,
        True,
        NOTHING,
    ),
    Request(
        "ansible-on-create-failure-rollback",
        "root",
        "ECRRepo",
        8.738,
        [("CREATE", "under way")],
        None,
        True,
        NOTHING,
    ),
    Request(
        "delete-fails-then-deleted",
        "root",
        "BrokenPolicy",
        5.0,
        [("CREATE", "under way")],
        None,
        True,
        NOTHING,
    ),
    Request(
        "delete-fails-then-deleted",
        "root",
        "BrokenPolicy",
        9.0,
        _BROKEN_CREATION,
        None,
        True,
        NOTHING,
    ),
    # The clean-up of an update that succeeded: UPDATE_COMPLETE_CLEANUP_IN_PROGRESS.
    Request(_REMOVES, "root", "storage", 17.16, _UPDATED, 0, False, REQUEST),
    Request(_REMOVES, "root", "function", 39.396, _UPDATED, 0, False, REQUEST),
    Request(_REMOVES, "storage", "BucketNotifications", 19.76, _UPDATED, 0, False, REQUEST),
    Request(_REMOVES, "storage", "BucketAutoDelete", 19.778, _UPDATED, 0, False, REQUEST),
    Request(_REMOVES, "data", "connection", 12.427, _UPDATING, 0, False, REQUEST),
    Request(
        "nested-update-with-cleanup", "data", "connection", 12.017, _UPDATING, 0, False, REQUEST
    ),
    Request("nested-update-adds-resources", "data", "post", 11.828, _UPDATING, 0, False, REQUEST),
    Request(
        "delete-with-custom-resources",
        "data",
        "AssetsDeployment",
        5.007,
        _DELETING,
        0,
        False,
        REQUEST,
    ),
    # Its own stack began 14 s after the root.
    Request(
        "delete-with-custom-resources", "post", "PostTable", 24.127, _DELETING, 0, False, REQUEST
    ),
    Request(
        "update-answers-another-physical-id", "root", "Resource", 0.0, _UPDATING, 0, False, REQUEST
    ),
]
"""The root is what ``operations`` are of, as in ``OPERATIONS``."""
