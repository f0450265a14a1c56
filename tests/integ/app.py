"""The app: an endpoint, and an inference experiment on it with the resource that ends it.

Two stacks, which the run deploys one after the other. Every name begins with the run's prefix, and
everything is tagged with it.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as s3_assets
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk.region_info import RegionInfo

from cdk_stop_inference_experiment import Outcome, StopInferenceExperiment

__all__ = [
    "TAG",
    "VARIANTS",
    "Plan",
    "ShadowTest",
    "image_for",
    "synthesise_endpoint",
    "synthesise_test",
]

TAG = "cdk-stop-inference-experiment-integ"
"""The tag of everything that a run makes; its value is the run's prefix."""

VARIANTS = ("blue", "green")
"""Two variants with the same model, so that either can be production and the other the shadow."""

_IMAGE = "sagemaker-scikit-learn:1.2-1-cpu-py3"
_IMAGE_ACCOUNTS = {
    "af-south-1": "510948584623",
    "ap-east-1": "651117190479",
    "ap-northeast-1": "354813040037",
    "ap-northeast-2": "366743142698",
    "ap-northeast-3": "867004704886",
    "ap-south-1": "720646828776",
    "ap-south-2": "628508329040",
    "ap-southeast-1": "121021644041",
    "ap-southeast-2": "783357654285",
    "ap-southeast-3": "951798379941",
    "ap-southeast-4": "106583098589",
    "ca-central-1": "341280168497",
    "cn-north-1": "450853457545",
    "cn-northwest-1": "451049120500",
    "eu-central-1": "492215442770",
    "eu-central-2": "680994064768",
    "eu-north-1": "662702820516",
    "eu-south-1": "978288397137",
    "eu-south-2": "104374241257",
    "eu-west-1": "141502667606",
    "eu-west-2": "764974769150",
    "eu-west-3": "659782779980",
    "me-central-1": "272398656194",
    "me-south-1": "801668240914",
    "sa-east-1": "737474898029",
    "us-east-1": "683313688378",
    "us-east-2": "257758044811",
    "us-gov-east-1": "237065988967",
    "us-gov-west-1": "414596584902",
    "us-west-1": "746614075791",
    "us-west-2": "246618743249",
}
"""Where AWS keeps its scikit-learn container, the lightest that it has in most regions.

From the SageMaker Python SDK, ``image_uri_config/sklearn.json``.
"""

_INFERENCE = "def model_fn(model_dir):\n    return {}\n"
"""What the container serves: it starts, answers its health check, and gets no requests."""


@dataclass(frozen=True)
class Plan:
    """What the stacks of a run are made with.

    Attributes:
        prefix: Of every name.
        account: The account's id.
        region: Its region.
        image: The container of both models.
        instance_type: Of every variant, one instance each.
    """

    prefix: str
    account: str
    region: str
    image: str
    instance_type: str

    @property
    def endpoint(self) -> str:
        """The name of the endpoint, and of its stack."""
        return f"{self.prefix}-endpoint"

    @property
    def role_arn(self) -> str:
        """The role of the endpoint's stack."""
        partition = RegionInfo.get(self.region).partition or "aws"
        return f"arn:{partition}:iam::{self.account}:role/{self.prefix}-role"

    def model(self, variant: str) -> str:
        """The name of a variant's model."""
        return f"{self.prefix}-{variant}"


@dataclass(frozen=True)
class ShadowTest:
    """An experiment and its stack, of the same name.

    Attributes:
        name: Of both.
        production: The variant that the endpoint serves.
        shadow: The other variant.
    """

    name: str
    production: str
    shadow: str


def image_for(region: str) -> str | None:
    """Return the container for a region; None if AWS does not say where it is."""
    account = _IMAGE_ACCOUNTS.get(region)
    if account is None:
        return None
    return f"{account}.dkr.ecr.{region}.{RegionInfo.get(region).domain_suffix}/{_IMAGE}"


def synthesise_endpoint(plan: Plan, folder: Path) -> str:
    """Synthesise the endpoint's stack into a folder; return the stack's name."""
    app = cdk.App(outdir=str(folder), analytics_reporting=False)
    stack = _stack(app, plan, plan.endpoint)
    role = iam.Role(
        stack,
        "Role",
        role_name=f"{plan.prefix}-role",
        assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"),
        # AWS names no smaller set for a role that creates and updates endpoints for a test.
        managed_policies=[
            iam.ManagedPolicy.from_aws_managed_policy_name("AmazonSageMakerFullAccess")
        ],
    )
    archive = folder.with_suffix(".tar.gz")
    archive.write_bytes(_archive("code/inference.py", _INFERENCE))
    asset = s3_assets.Asset(stack, "Archive", path=str(archive))
    asset.grant_read(role)
    models = {variant: _model(stack, plan, variant, role, asset) for variant in VARIANTS}
    first = sagemaker.CfnEndpointConfig.ProductionVariantProperty(
        variant_name=VARIANTS[0],
        model_name=models[VARIANTS[0]].attr_model_name,
        instance_type=plan.instance_type,
        initial_instance_count=1,
        initial_variant_weight=1,
    )
    config = sagemaker.CfnEndpointConfig(
        stack,
        "EndpointConfig",
        endpoint_config_name=f"{plan.endpoint}-declared",
        production_variants=[first],
    )
    endpoint = sagemaker.CfnEndpoint(
        stack,
        "Endpoint",
        endpoint_name=plan.endpoint,
        endpoint_config_name=config.attr_endpoint_config_name,
    )
    endpoint.node.add_dependency(role, models[VARIANTS[1]])
    app.synth()
    return stack.stack_name


def synthesise_test(
    plan: Plan, test: ShadowTest, outcome: Outcome, folder: Path, *, permitted: bool = True
) -> str:
    """Synthesise a shadow test's stack into a folder; return the stack's name.

    Args:
        plan: The run's.
        test: The experiment.
        outcome: How it is to end.
        folder: Where to.
        permitted: Whether the function may stop it.
    """
    app = cdk.App(outdir=str(folder), analytics_reporting=False)
    stack = _stack(app, plan, test.name)
    experiment = _experiment(stack, plan, test)
    stop = StopInferenceExperiment(stack, "Stop", experiment=experiment, outcome=outcome)
    if not permitted:
        for policy in stop.node.find_all():
            if isinstance(policy, iam.CfnPolicy):
                policy.add_property_override(
                    "PolicyDocument.Statement.0.Action", "sagemaker:DescribeInferenceExperiment"
                )
    app.synth()
    return stack.stack_name


def _stack(app: cdk.App, plan: Plan, name: str) -> cdk.Stack:
    environment = cdk.Environment(account=plan.account, region=plan.region)
    stack = cdk.Stack(app, name, env=environment)
    cdk.Tags.of(stack).add(TAG, plan.prefix)
    return stack


def _model(
    stack: cdk.Stack, plan: Plan, variant: str, role: iam.Role, archive: s3_assets.Asset
) -> sagemaker.CfnModel:
    container = sagemaker.CfnModel.ContainerDefinitionProperty(
        image=plan.image,
        model_data_url=archive.s3_object_url,
        environment={
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
            "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
            "SAGEMAKER_REGION": plan.region,
        },
    )
    model = sagemaker.CfnModel(
        stack,
        variant.title(),
        model_name=plan.model(variant),
        execution_role_arn=role.role_arn,
        primary_container=container,
    )
    # SageMaker reads the archive with the role when the model is created.
    model.node.add_dependency(role)
    return model


def _experiment(stack: cdk.Stack, plan: Plan, test: ShadowTest) -> sagemaker.CfnInferenceExperiment:
    kind = sagemaker.CfnInferenceExperiment
    instance = kind.RealTimeInferenceConfigProperty(
        instance_type=plan.instance_type, instance_count=1
    )
    infrastructure = kind.ModelInfrastructureConfigProperty(
        infrastructure_type="RealTimeInference", real_time_inference_config=instance
    )
    return kind(
        stack,
        "Experiment",
        name=test.name,
        type="ShadowMode",
        role_arn=plan.role_arn,
        endpoint_name=plan.endpoint,
        model_variants=[
            kind.ModelVariantConfigProperty(
                variant_name=variant,
                model_name=plan.model(variant),
                infrastructure_config=infrastructure,
            )
            for variant in (test.production, test.shadow)
        ],
        shadow_mode_config=kind.ShadowModeConfigProperty(
            source_model_variant_name=test.production,
            shadow_model_variants=[
                kind.ShadowModelVariantConfigProperty(
                    shadow_model_variant_name=test.shadow, sampling_percentage=100
                )
            ],
        ),
    )


def _archive(name: str, text: str) -> bytes:
    """A model's archive of one file; the same bytes each time, so that it is uploaded once."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        member = tarfile.TarInfo(name)
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()
