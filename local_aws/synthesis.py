"""Synthesised templates and their assets, for CloudFormation's API."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_cdk import App, DefaultStackSynthesizer, Stack
from aws_cdk.cx_api import CloudAssembly

__all__ = ["ASSETS", "Builder", "Template", "synthesise"]

Json = dict[str, Any]
Builder = Callable[[Stack], object]

ASSETS = "assets"
"""The bucket for the templates' assets."""


@dataclass(frozen=True)
class Template:
    """A synthesised template, and its assets by their key in the bucket."""

    body: Json
    assets: dict[str, bytes]

    def resources(self, resource_type: str) -> Json:
        """The resources of a type, by logical id."""
        return {
            logical_id: resource
            for logical_id, resource in self.body["Resources"].items()
            if resource["Type"] == resource_type
        }

    def changed(self, change: Callable[[Json], object]) -> Template:
        """A copy with a changed body."""
        body = json.loads(json.dumps(self.body))
        change(body)
        return Template(body, self.assets)


def synthesise(build: Builder) -> Template:
    """Return the template of a stack that ``build`` fills."""
    with tempfile.TemporaryDirectory() as folder:
        app = App(outdir=folder, analytics_reporting=False)
        build(Stack(app, "History", synthesizer=_synthesizer()))
        return _read(app.synth())


def _synthesizer() -> DefaultStackSynthesizer:
    return DefaultStackSynthesizer(
        file_assets_bucket_name=ASSETS, generate_bootstrap_version_rule=False
    )


def _read(assembly: CloudAssembly) -> Template:
    """The only stack of an assembly."""
    (stack,) = assembly.stacks
    folder = Path(assembly.directory)
    manifest = json.loads((folder / f"{stack.id}.assets.json").read_text())
    return Template(stack.template, dict(_assets(folder, manifest)))


def _assets(folder: Path, manifest: Json) -> list[tuple[str, bytes]]:
    return [
        (destination["objectKey"], _packaged(folder / file["source"]["path"]))
        for file in manifest["files"].values()
        for destination in file["destinations"].values()
    ]


def _packaged(path: Path) -> bytes:
    """A folder of code, zipped, or the template of a nested stack."""
    return _zipped(path) if path.is_dir() else path.read_bytes()


def _zipped(folder: Path) -> bytes:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return package.getvalue()
