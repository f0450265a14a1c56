"""The texts of the report."""

from __future__ import annotations

__all__ = [
    "ASSUMED",
    "COLD_RUNS",
    "DEPLOYED",
    "EFFECT",
    "GATE",
    "GATE_BY_THE_HOUR",
    "GATE_PLANNED",
    "GATE_POWER",
    "GATE_WORSENED",
    "INTRODUCTION",
    "MANY",
    "MEMORY_CHOICE",
    "MEMORY_CURVE",
    "PLANNED",
    "WORSE",
]

INTRODUCTION = """\
# Benchmarks against the alternatives

`make bench` creates this file from [results.json](results.json); do not edit it. Nothing here ran
on real AWS. *Simulated* is a discrete-event simulation of every contestant. *Virtual time* is the
real handlers, crhelper and boto3 on a loopback AWS whose clock jumps. *Local AWS* is real
processes, TLS and the real CDK CLI against [a local AWS](../local_aws/README.md). Times are
medians of alternating runs, with the first and third quartile in brackets; compare ratios, not
seconds.

The contestants, each written as its own documentation recommends ([code](contestants)):

- **ours**: `StopInferenceExperiment`.
- **AwsCustomResource**: `on_update` and `on_delete` call stopInferenceExperiment; `on_create`
  describes the experiment, else `on_update` would stop it at the first deployment.
- **provider framework**: `custom_resources.Provider`, `onEvent` and `isComplete` in Python, the
  default query interval of 5 s, `total_timeout` 55 minutes (its default of 30 is too short).
- **crhelper**: crhelper 2.0.12 as its README shows it, `poll_update` and `poll_delete`, defaults.
- **native**: `AWS::SageMaker::InferenceExperiment` with `DesiredState`. Only its template is
  compared: AWS does not document how often CloudFormation polls it, and it costs nothing.
"""

WORSE = """\
## Where ours is worse, and why

- **Waiting is billed.** A stop with crhelper or AwsCustomResource costs next to nothing: crhelper
  polls every two minutes, AwsCustomResource does not wait. Waiting inside the invocation reduces
  the lag from minutes to seconds, and costs cents per stop at most.
- **More describe calls**: one every 2 to 2.8 s, and forty times as many for forty experiments.
  Under throttling lag and cost grow, but nothing fails.
- **More resources** than AwsCustomResource or crhelper for the first experiment: a log group with
  retention, an invoke configuration and separate policies, which are deleted last.
- **More code to load** than the handler of crhelper's README: the function validates its input
  and what it reads from AWS. It creates no client before it needs it, and botocore parses only the
  part of SageMaker's model that it uses, which more than compensates for that.
- **Synth takes longer** than AwsCustomResource's. By hand, on a busy machine, in seconds of CPU:

  | part | AwsCustomResource | ours |
  | --- | --- | --- |
  | Python, jsii and CDK, without the validation (`CDK_VALIDATION=false`) | 1.4 | 1.6 |
  | CDK's validation engine: to load and start it | 2.6 | 2.6 |
  | the engine: to check the template | 0.3 | 0.35 |
  | V8: to optimise the engine's code meanwhile | 0.6 | 1.2 |

  The rows of the engine were measured in Node 20 alone; V8's is what is left. The engine is
  WebAssembly, and V8 optimises a function of it after a certain amount of work. One function of
  180 KB is most of the 0.6 s between the two: our template exceeds its amount by 7 %,
  AwsCustomResource's uses 63 % of it. With eight log groups more that one exceeds it, too, and its
  engine takes as long as ours. Each of our resources adds 6 to 15 %, a property 2 %, and to merge
  statements of a policy saves nothing. Without any one resource but the log group it would not be
  optimised, but each is needed: without the invoke configuration, Lambda would try again for longer
  than CloudFormation waits, and without policies of their own, a removed experiment could not be
  stopped. The 0.2 s without the validation are not divided further: the library's own modules take
  0.06 s to import, and there are 83 more calls to jsii. An app with nothing but a function takes
  1.4 s there, an empty one 0.9 s.
- AwsCustomResource finishes sooner because it does not wait, so CloudFormation's next step may
  find the endpoint still updating.
"""

EFFECT = """\
## What the redesign changed

Before it, the asset was the handler's code without comments and annotations. Since then the handler
decides by three tables, reads the stack's events before it stops anything, knows outcomes and
evidence, and is uploaded as it is written, with the part of botocore's SageMaker model that it
uses.
*Before* is the last run without all this, on the same kind of machine; compare ratios.
"""
COLD_RUNS = """\
{runs} alternating runs. *Import* is Lambda's init; *first answer* is the time until a Create is
answered, where everything is real except name lookup, TCP and the TLS handshake. *crhelper
without clients* is the same handler when crhelper believes that it runs under SAM local and
creates none of its three clients: the lower bound for any handler on crhelper and boto3.
"""
MANY = """\
All stopped by one update, stops of {minutes:g} minutes, all requests in the same moment; the real
handlers in virtual time. AWS does not publish these rates; bursts are twice the rate, and *busiest*
is the most calls in a second. 200 of ours are on five providers; crhelper's are on one function,
whose policy has no room for that many rules.
"""
MEMORY_CURVE = """\
Time to the first answer by memory size, computed from CPU seconds and Lambda's share of a vCPU
(memory / 1769 MB), and measured with the process paused for the rest of the time; and the price
of a stop of 14 minutes:
"""
MEMORY_CHOICE = """\
The function waits for minutes and computes for a second, so its price is roughly its memory times
the wait, and more CPU saves seconds once per stop at most. 256 MB is the most with which a stop
costs no more than the provider framework's, and four times the peak. 128 MB would save a fifth of a
cent per stop of 14 minutes, and double the start, for which each deployment waits.
"""
PLANNED = """\
{experiments} experiments in {stacks} stacks on the local AWS, planned one stack after another by
the command's own code, from change sets that end all of them. Each call takes {milliseconds:g} ms
more than there; SageMaker's are throttled at some rates, with bursts of twice the rate. The first
row describes one experiment at a time:
"""
GATE = """\
Simulated tests of {hours} hours, with a look after every hour from the {least}th on, at
`confidence` 0.95; {tests:,} tests a row, judged by a copy of the function's statistics for many
tests at once, which a test holds equal to the function. Columns count tests of 100 in which any of
the looks had the verdict. Traffic follows the day (a fifth to nine fifths of its mean), and so do
production's errors against `max_increase`, with another peak. A burst has a geometric number of
errors in one hour; in bad spells, 30 % of the time, errors are 14 times as frequent, each variant
for itself. The last column is a gate that only compares the two numbers, at the same looks.
"""
GATE_BY_THE_HOUR = """\
Averages and percentiles by the hour, whose values remember the last one. The first pair of columns
is a shadow at the bound, which half of its hours break; the second breaks it in 10 % of its hours,
the third in 90 %:
"""
GATE_POWER = """\
Shadows that keep the bound, and shadows that break it by more; the share promoted by the time, and
failed at any:
"""
GATE_PLANNED = """\
What a forecast is worth: an equal shadow at 0.0005 against +0.0005. After some hours, the
function's own forecast is asked how many requests it needs, and the verdict is read when they are
there (and 48 hours have passed). 80 of 100 are meant to be promoted:
"""
GATE_WORSENED = """\
A limit: a shadow is as good as production for a week (1,000 requests an hour, 0.0005 of errors),
then worse by twice the bound of +0.0005, which is broken on average only after another week. The
verdict is about the whole test so far, so the gate is open at the change in {after_0} of 100 tests,
a day later in {after_24}, three days later in {after_72} and a week later in {after_167}.
"""
DEPLOYED = """\
In real time, with a stop of {stop:g} s and assets synthesised before; the experiment's status is
the one after each phase. About 5 s of each phase are the CLI's own. crhelper waits so long (it
polls every two minutes, sleeps for two minutes before it answers a Delete, and gets a Delete
after its update, since its poll function returns `True`, which becomes a new physical id) that
its one run is on a faster clock. Multiply everything beyond the CLI's own seconds:
"""
ASSUMED = """\
Stops take up to a minute more or less than stated, evenly distributed. Assumed: 40 ms for each
AWS call, for the delivery of each invocation and for the answer, and 0.5 s billed for each
simulated cold start. The endpoint settles together with the experiment, since only ours waits for
it.
"""
