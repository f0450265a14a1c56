"""The Lambda function's code as an asset."""

from __future__ import annotations

from pathlib import Path

import jsii
from aws_cdk import AssetHashType, BundlingOptions, BundlingOutput, DockerImage, ILocalBundling
from aws_cdk import aws_lambda as lambda_

from .handler_code import HANDLER_PACKAGE, check_code, code_archive, folder_of


def handler_code() -> lambda_.Code:
    """The function's code as an asset: a ZIP file, which the CDK CLI uploads as it is.

    Raises:
        MissingCodeError: A part of it is not installed as source files, or crhelper is not 2.0.12.
    """
    check_code()
    return lambda_.Code.from_asset(
        str(folder_of(HANDLER_PACKAGE)),
        asset_hash_type=AssetHashType.OUTPUT,
        bundling=BundlingOptions(
            # Never pulled: local bundling either succeeds or raises.
            image=DockerImage.from_registry("none"),
            local=_BUNDLING,
            output_type=BundlingOutput.ARCHIVED,
        ),
    )


@jsii.implements(ILocalBundling)
class _LocalBundling:
    """Bundles in this process instead of in a Docker container."""

    def try_bundle(self, output_dir: str, *_options: object, **_named: object) -> bool:
        """Build the asset.

        Args:
            output_dir: Where to put it.
            _options: The bundling options, which jsii passes positionally.
            _named: The same options, by keyword as the interface declares them.
        """
        (Path(output_dir) / "code.zip").write_bytes(code_archive())
        return True


# One object for the whole process: CDK recognises the same bundling by it, and builds only once.
_BUNDLING = _LocalBundling()
