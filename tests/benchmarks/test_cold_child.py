"""What the cold start's benchmark measures is a Create that was answered."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from benchmarks.cold_start import _commands, _variables
from benchmarks.processes import environment, run

CHILD = str(Path(__file__).parents[2] / "benchmarks" / "cold_child.py")
HANDLER = """\
import http.client, json, ssl, urllib.parse
import botocore.session

def handler(event, context):
    session = botocore.session.get_session()
    for _ in range({looks}):
        session.create_client("sagemaker").describe_inference_experiment(Name="fraud-shadow")
    host = urllib.parse.urlsplit(event["ResponseURL"]).netloc
    trusting = ssl.{context}
    connection = http.client.HTTPSConnection(host, context=trusting)
    connection.request("PUT", "/", json.dumps({{"Status": "{status}"}}))
    connection.getresponse()
"""


@pytest.mark.parametrize("who", ["ours", "crhelper", "crhelper without clients"])
def test_every_contestant_answers(tmp_path: Path, who: str) -> None:
    name = f"{who}, first answer"
    taken = run(_commands(tmp_path)[name], environment(_variables(name, tmp_path)))
    assert taken.cpu > 0
    assert "Traceback" not in taken.printed


@pytest.mark.parametrize(
    ("looks", "status", "context", "refusal"),
    [
        (1, "SUCCESS", "create_default_context()", ""),
        (1, "FAILED", "create_default_context()", "not one look and one SUCCESS"),
        (0, "SUCCESS", "create_default_context()", "not one look and one SUCCESS"),
        (2, "SUCCESS", "create_default_context()", "not one look and one SUCCESS"),
        (1, "SUCCESS", "_create_unverified_context()", "is not verified"),
    ],
)
def test_anything_but_one_look_and_one_verified_answer_is_refused(
    tmp_path: Path, looks: int, status: str, context: str, refusal: str
) -> None:
    pytest.importorskip("boto3")
    (tmp_path / "index.py").write_text(HANDLER.format(looks=looks, status=status, context=context))
    command = [sys.executable, "-B", CHILD, str(tmp_path), "index", "answer"]
    if not refusal:
        run(command, environment())
        return
    with pytest.raises(RuntimeError, match=refusal):
        run(command, environment())
