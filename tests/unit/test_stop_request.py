"""What is sent to SageMaker, and which declarations end an experiment in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from tests.unit.situations import (
    KEEP,
    PROMOTE,
    Properties,
    declared,
    experiment,
    outcome,
    promoting,
    properties,
    variant,
    wanted,
)

from cdk_stop_inference_experiment_handler.lifecycle.situation import Experiment
from cdk_stop_inference_experiment_handler.lifecycle.stop_request import (
    digest_in,
    ends_alike,
    members_of,
    promoted_by,
    promoted_instances,
)

PROMOTE_SHADOW = outcome("PromoteShadow")
GIVEN = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 4}
COUNTS = {"production": 10, "shadow": 3}
SWAPPED = experiment(
    variants={"shadow": "InService", "production": "InService"},
    production="shadow",
    shadows=("production",),
)
"""The next shadow test after a promotion: its production variant is named shadow."""


def sent(
    given: Properties,
    seen: Experiment = experiment(),  # noqa: B008 - frozen
    counts: Mapping[str, int] = COUNTS,
) -> dict[str, Any]:
    """The request for a declaration, without its name and reason."""
    members = members_of(wanted(given), seen, counts)
    assert members.pop("Name") == "fraud-shadow"
    assert members.pop("Reason") == wanted(given).reason
    return members


class TestMembers:
    def test_actions_and_variants_are_sent_as_declared(self) -> None:
        given = promoting(
            DesiredModelVariants=[variant("shadow", "4")], DesiredState="Cancelled", Reason="v2"
        )
        assert sent(given) == {
            "ModelVariantActions": PROMOTE,
            "DesiredModelVariants": [variant("shadow", 4)],
            "DesiredState": "Cancelled",
        }

    def test_what_is_not_declared_is_left_out(self) -> None:
        assert sent(promoting()) == {"ModelVariantActions": PROMOTE}

    @pytest.mark.parametrize(
        ("kind", "actions"),
        [("KeepProduction", KEEP), ("KeepBoth", {"production": "Retain", "shadow": "Retain"})],
    )
    def test_an_outcome_that_keeps_names_no_variants(
        self, kind: str, actions: dict[str, str]
    ) -> None:
        assert sent(outcome(kind)) == {"ModelVariantActions": actions}

    @pytest.mark.parametrize(
        ("instances", "expected"),
        [
            (None, variant("shadow", 10, model="fraud-v2", of_type="ml.c5.large")),
            ("Production", variant("shadow", 10, model="fraud-v2", of_type="ml.c5.large")),
            ("Shadow", variant("shadow", 1, model="fraud-v2")),
            (GIVEN, variant("shadow", 4, model="fraud-v2")),
        ],
    )
    def test_a_promotion_gets_the_instances_declared(
        self, instances: Any, expected: dict[str, object]
    ) -> None:
        """Production has as many as run now: autoscaling does not change its configuration."""
        assert sent(outcome("PromoteShadow", Instances=instances)) == {
            "ModelVariantActions": PROMOTE,
            "DesiredModelVariants": [expected],
        }

    def test_production_is_the_source_variant_whatever_it_is_called(self) -> None:
        assert sent(outcome(), SWAPPED) == {
            "ModelVariantActions": {"shadow": "Retain", "production": "Remove"}
        }
        assert promoted_by(declared(PROMOTE_SHADOW).end, SWAPPED) == "production"


class TestReason:
    def test_ends_in_the_digest(self) -> None:
        reworded = wanted(promoting(Reason="v2 wins"))
        assert reworded.reason == f"v2 wins ({reworded.digest})"
        assert digest_in(reworded.reason) == reworded.digest
        default = wanted(promoting())
        assert default.reason_text == "Stopped by CloudFormation stack shadow, resource Stop"

    @pytest.mark.parametrize("length", [1013, 1014])
    def test_its_words_are_cut_at_1013_characters(self, length: int) -> None:
        reason = wanted(promoting(Reason="x" * length)).reason
        assert len(reason) == 1024
        assert reason.count("x") == 1013

    def test_the_last_digest_counts(self) -> None:
        assert digest_in("as said before (01234567): again (89abcdef)") == "89abcdef"
        assert digest_in("by hand (0123)") == digest_in("") == ""

    @pytest.mark.parametrize(
        "same",
        [
            promoting(Reason="other words"),
            promoting(Name="FRAUD-shadow"),
            promoting(StopOn=["Delete"], EndNow="true", ServiceTimeout="60"),
            properties(ModelVariantActions=dict(reversed(PROMOTE.items()))),
        ],
    )
    def test_a_digest_is_of_the_experiment_and_its_end(self, same: Properties) -> None:
        assert wanted(same).digest == wanted(promoting()).digest

    @pytest.mark.parametrize(
        "other",
        [
            properties(),
            promoting(Name="other"),
            promoting(DesiredState="Completed"),
            promoting(DesiredModelVariants=[variant("shadow")]),
            PROMOTE_SHADOW,
            outcome("PromoteShadow", Instances="Shadow"),
            outcome("PromoteShadow", Instances=GIVEN),
        ],
    )
    def test_another_end_has_another_digest(self, other: Properties) -> None:
        assert wanted(other).digest != wanted(promoting()).digest

    def test_a_digest_stays_what_it_is(self) -> None:
        """It is part of what is published: the next release recognises this one's ends."""
        on_given = outcome("PromoteShadow", Instances=GIVEN)
        published = (promoting(), PROMOTE_SHADOW, on_given)
        assert [wanted(given).digest for given in published] == DIGESTS


DIGESTS = ["77a5bad9", "dce092c6", "6ae05b79"]

ON_PRODUCTIONS = [variant("shadow", 2, model="fraud-v2", of_type="ml.c5.large")]
"""Production's configured instances."""


def alike(one: Properties, other: Properties, seen: Experiment | None = None) -> bool:
    first, second = declared(one), declared(other)
    found = seen or experiment()
    result = ends_alike(first, second, found)
    assert result is ends_alike(second, first, found)
    return result


class TestEndsAlike:
    @pytest.mark.parametrize("one", ["PromoteShadow", "KeepProduction", "KeepBoth"])
    @pytest.mark.parametrize("other", ["PromoteShadow", "KeepProduction", "KeepBoth"])
    def test_two_outcomes(self, one: str, other: str) -> None:
        assert alike(outcome(one), outcome(other)) is (one == other)

    def test_instances(self) -> None:
        ways = [None, "Shadow", GIVEN, {**GIVEN, "InstanceCount": 5}]
        for new in ways:
            for old in ways:
                one, other = (outcome("PromoteShadow", Instances=way) for way in (new, old))
                assert alike(one, other) is (new == old)

    def test_the_default_written_out(self) -> None:
        assert alike(outcome("PromoteShadow", Instances="Production"), PROMOTE_SHADOW)
        text = {**GIVEN, "InstanceCount": "4"}
        one, other = (outcome("PromoteShadow", Instances=given) for given in (text, GIVEN))
        assert alike(one, other)

    def test_variants_in_another_order(self) -> None:
        variants = [variant("production"), variant("shadow")]
        both = {"ModelVariantActions": {"production": "Retain", "shadow": "Retain"}}
        one = properties(**both, DesiredModelVariants=variants)
        assert alike(one, properties(**both, DesiredModelVariants=variants[::-1]))

    def test_another_state(self) -> None:
        assert not alike(outcome(DesiredState="Cancelled"), outcome())
        assert not alike(outcome(DesiredState="Cancelled"), properties())

    @pytest.mark.parametrize(
        ("named", "said"),
        [
            (properties(), outcome()),
            (
                properties(DesiredModelVariants=[variant("production", 2, of_type="ml.c5.large")]),
                outcome(),
            ),
            (promoting(DesiredModelVariants=ON_PRODUCTIONS), PROMOTE_SHADOW),
            (
                promoting(DesiredModelVariants=[variant("shadow", 1, model="fraud-v2")]),
                outcome("PromoteShadow", Instances="Shadow"),
            ),
            (
                promoting(DesiredModelVariants=[variant("shadow", 4, model="fraud-v2")]),
                outcome("PromoteShadow", Instances=GIVEN),
            ),
        ],
    )
    def test_an_outcome_that_makes_the_same_request(
        self, named: Properties, said: Properties
    ) -> None:
        assert alike(named, said)

    @pytest.mark.parametrize(
        ("named", "said"),
        [
            (properties(), PROMOTE_SHADOW),
            (properties(), outcome("KeepBoth")),
            (promoting(), outcome()),
            (
                properties(
                    ModelVariantActions={"production": "Retain", "shadow": "Retain"},
                    DesiredModelVariants=[variant("production", 2, of_type="ml.c5.large")],
                ),
                outcome("KeepBoth"),
            ),
            # Which instances SageMaker chooses without DesiredModelVariants is not documented.
            (promoting(), PROMOTE_SHADOW),
            (promoting(), outcome("PromoteShadow", Instances="Shadow")),
            (promoting(), outcome("PromoteShadow", Instances=GIVEN)),
            (
                properties(DesiredModelVariants=[variant("production", 5, of_type="ml.c5.large")]),
                outcome(),
            ),
            (properties(DesiredModelVariants=[variant("production", 2)]), outcome()),
            (promoting(DesiredModelVariants=[variant("shadow", 10)]), PROMOTE_SHADOW),
            (
                promoting(DesiredModelVariants=[variant("shadow", 5, model="fraud-v2")]),
                outcome("PromoteShadow", Instances=GIVEN),
            ),
            (
                promoting(DesiredModelVariants=[variant("shadow", 3, model="fraud-v2")]),
                outcome("PromoteShadow", Instances="Shadow"),
            ),
        ],
    )
    def test_an_outcome_that_makes_another_request(
        self, named: Properties, said: Properties
    ) -> None:
        assert not alike(named, said)

    def test_two_ways_to_say_it_differ_where_the_experiment_is_not_known(self) -> None:
        named, said = declared(properties()), declared(outcome())
        assert not ends_alike(named, said, None)
        assert not ends_alike(named, said, experiment(shadows=()))
        assert ends_alike(said, said, None)


@pytest.mark.parametrize(
    ("given", "count"),
    [
        (outcome("PromoteShadow", Instances=GIVEN), 4),
        (promoting(DesiredModelVariants=[variant("shadow", 3)]), 3),
        (promoting(), None),
        (PROMOTE_SHADOW, None),
        (properties(DesiredModelVariants=[variant("production", 1)]), None),
    ],
)
def test_the_count_that_is_declared_for_a_promotion(given: Properties, count: int | None) -> None:
    assert promoted_instances(declared(given).end, experiment()) == count
