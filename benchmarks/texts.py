"""The prose of the report."""

from __future__ import annotations

__all__ = [
    "ASSUMED",
    "COLD_RUNS",
    "DEPLOYED",
    "INTRODUCTION",
    "MEMORY_CHOICE",
    "MEMORY_CURVE",
    "WORSE",
]

INTRODUCTION = """\
# Measured against what a user would pick instead

Made by `make bench` from [results.json](results.json); do not edit. Nothing here ran on a real
AWS. *Simulated* is a discrete-event simulation of every contestant; *virtual time* is the real
handlers, crhelper and boto3 on a loopback AWS whose clock jumps; *local AWS* is real processes,
TLS and the real CDK CLI against [a local AWS](../local_aws/README.md). Times are medians of
alternating runs with the first and third quartile in brackets; compare ratios, not seconds.

The contestants, each written as its own documentation recommends
([code](contestants)):

- **ours**: `StopInferenceExperiment`.
- **AwsCustomResource**: `on_update` and `on_delete` call stopInferenceExperiment; `on_create`
  describes the experiment, else `on_update` would stop it at the first deployment.
- **provider framework**: `custom_resources.Provider`, `onEvent` and `isComplete` in Python,
  the default query interval of 5 s, `total_timeout` 55 minutes (its default of 30 is too short).
- **crhelper**: crhelper 2.0.12 as its README shows it, `poll_update` and `poll_delete`, defaults.
- **native**: `AWS::SageMaker::InferenceExperiment` with `DesiredState`. Only its template is
  compared: how often CloudFormation looks at it is not documented, and it costs nothing.
"""

WORSE = """\
## Where ours is worse, and why

- **It is paid while it waits.** crhelper and AwsCustomResource cost next to nothing a stop: the
  one asks every two minutes, the other does not wait. Waiting inside the invocation is what turns
  a lag of minutes into one of seconds; a stop costs cents at most.
- **It asks more often**: every 2 to 2.8 s, forty times that for forty experiments. Under
  throttling its lag grows; nothing fails.
- **More resources** than AwsCustomResource or crhelper for the first experiment: a log group with
  retention, an invoke configuration and policies of its own, which outlive what they serve.
- **More code to load** than crhelper's README: the function checks what it is given and what
  it finds. Not making the three clients that crhelper makes at import about pays for that, no
  more: boto3 and the SageMaker client are most of a cold start, and the same for both. Tried
  and left: one TLS context for both connections, a loader that does not list every service, and
  importing each module once instead of twice from its archive. The first two lean on what botocore
  does not promise, and all together stay below the target.
- **Synth takes longer** than an empty app's, and more than the tenth longer that was aimed at. Much
  of it is what any function brings (*function alone* does nothing): loading CDK's Lambda module,
  and CDK's own validation of a template that is not empty. The rest is a larger template, and the
  source made small. Tried and kept: SageMaker's module is imported only where an experiment is
  given, the source is made small without tokenizing it, and jsii is asked less often.
- AwsCustomResource is done sooner: it does not wait, and what CloudFormation does next meets an
  endpoint in flux.
"""

COLD_RUNS = """\
{runs} alternating runs. *Import* is what Lambda's init does; *first answer* is a Create answered,
with everything real but name look-up, TCP and the TLS handshake. *crhelper without clients* is the
same handler where crhelper believes to run under SAM local and makes none of its three clients: the
floor, which no handler on crhelper and boto3 can undercut.
"""
MEMORY_CURVE = """\
Time to the first answer by memory: computed from CPU seconds and Lambda's share of a vCPU
(memory / 1769 MB), and measured with the process paused for the rest of its time; price of a stop
of 14 minutes:
"""
MEMORY_CHOICE = """\
The function waits for minutes and computes for a second, so its price is nearly its memory times
the wait, and more CPU buys seconds once a stop at most. 256 MB keeps the start within seconds and
leaves the peak memory room to double.
"""
DEPLOYED = """\
Real time, a stop of {stop:g} s, assets synthesised before; after each phase, the experiment's
status. About 5 s of each are the CLI's own. crhelper waits for so long (polls every two minutes,
two minutes' sleep before it answers a Delete, and a Delete after its update, since its poll
function's `True` makes a new physical id) that its one run is on a faster clock; what exceeds the
CLI's own seconds is to be multiplied:
"""
ASSUMED = """\
Stops last a minute more or less than said, evenly. Assumed: 40 ms for each AWS call, each
invocation on its way and the answer, 0.5 s billed for each cold start of the simulated. The
endpoint settles together with the experiment here, since only ours waits for it.
"""
