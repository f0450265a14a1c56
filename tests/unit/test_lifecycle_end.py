"""The lifecycle table of the README on the pure decision function: what follows a Stop of ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.lifecycle import STOPPABLE, World, declaration, experiment, request, settle

from cdk_stop_inference_experiment_handler.lifecycle.decision import decide
from cdk_stop_inference_experiment_handler.lifecycle.facts import Experiment, RequestType, Verb


class TestAfterOurStop:
    @pytest.mark.parametrize("status", [*STOPPABLE, "Stopping"])
    @pytest.mark.parametrize("kind", list(RequestType))
    def test_waits_and_never_stops_again(self, kind: RequestType, status: str) -> None:
        assert self.after(kind, experiment(status))[0] is Verb.WAIT

    @pytest.mark.parametrize(
        "endpoint_status", ["Creating", "Updating", "SystemUpdating", "RollingBack"]
    )
    def test_waits_for_the_endpoint_to_settle(self, endpoint_status: str) -> None:
        ended = experiment("Completed", endpoint_status=endpoint_status)
        assert self.after(RequestType.UPDATE, ended)[0] is Verb.WAIT

    @pytest.mark.parametrize("kind", list(RequestType))
    def test_succeeds_where_it_ended_as_asked(self, kind: RequestType) -> None:
        assert self.after(kind, experiment("Completed"))[0] is Verb.SUCCEED
        cancelled = experiment("Cancelled", status_reason="ours")
        assert self.after(kind, cancelled, DesiredState="Cancelled")[0] is Verb.SUCCEED

    def test_fails_an_update_that_asked_completed_and_got_cancelled(self) -> None:
        cancelled = experiment(
            "Cancelled", status_reason="no capacity", endpoint_failure="quota exceeded"
        )
        verb, why = self.after(RequestType.UPDATE, cancelled, DesiredState="Completed")
        assert verb is Verb.FAIL
        assert why.endswith("because 'no capacity'; endpoint: quota exceeded")

    @pytest.mark.parametrize("desired", [None, "Cancelled"])
    def test_fails_an_update_cancelled_for_another_reason_than_ours(
        self, desired: str | None
    ) -> None:
        cancelled = experiment("Cancelled", status_reason="internal error")
        assert self.after(RequestType.UPDATE, cancelled, DesiredState=desired)[0] is Verb.FAIL

    @pytest.mark.parametrize("endpoint_status", ["Failed", "OutOfService", "UpdateRollbackFailed"])
    def test_fails_an_update_whose_endpoint_failed(self, endpoint_status: str) -> None:
        ended = experiment("Completed", endpoint_status=endpoint_status)
        assert self.after(RequestType.UPDATE, ended)[0] is Verb.FAIL

    @pytest.mark.parametrize(
        "bad_end",
        [
            experiment("Cancelled", status_reason="internal error"),
            experiment("Completed", endpoint_status="Failed"),
        ],
    )
    def test_a_delete_only_warns_of_a_bad_end(self, bad_end: Experiment) -> None:
        case = replace(
            request(RequestType.DELETE, declaration(DesiredState="Completed"), stop_sent=True),
            experiment=bad_end,
        )
        decision = decide(case, "eu-west-1")
        assert (decision.verb, decision.warn) == (Verb.SUCCEED, True)

    def test_an_experiment_deleted_meanwhile_fails_an_update_and_suits_a_delete(self) -> None:
        assert self.after(RequestType.UPDATE, None)[0] is Verb.FAIL
        assert self.after(RequestType.DELETE, None)[0] is Verb.SUCCEED

    @staticmethod
    def after(kind: RequestType, seen: Experiment | None, **properties: Any) -> tuple[Verb, str]:
        made = request(kind, declaration(**properties), old=declaration(), stop_sent=True)
        return settle(made, World(experiment=seen))
