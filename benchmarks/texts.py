"""The texts of the report."""

from __future__ import annotations

__all__ = [
    "ASSUMED",
    "COLD_RUNS",
    "DEPLOYED",
    "FEW",
    "GATE",
    "GATE_BY_THE_HOUR",
    "GATE_PLANNED",
    "GATE_POWER",
    "GATE_WORSENED",
    "INTRODUCTION",
    "LOOSENED",
    "MANY",
    "MEMORY_CHOICE",
    "MEMORY_CURVE",
    "PLANNED",
    "REQUESTS",
    "STORIES",
    "SUMMARY",
    "TIMEOUT",
    "TITLE",
    "TOGETHER",
    "WORSE",
]

TITLE = """\
# Benchmarks against the alternatives
"""

SUMMARY = """\
{met} of {all} [targets](#targets) are met. The table has the main ones, and every one that is
missed: see [Where ours is worse, and why](#where-ours-is-worse-and-why). *Lag* is the time from the
end of a test to the answer to CloudFormation.
"""

INTRODUCTION = """\
## How it was measured

`make bench` creates this file from [results.json](results.json); do not edit it. Nothing here ran
on real AWS. *Simulated* is a discrete-event simulation of a contestant. *Virtual time* is the
real handlers, crhelper and boto3 on a loopback AWS whose clock jumps. *Local AWS* is real
processes, TLS and the real CDK CLI against [a local AWS](../local_aws/README.md). Times are
medians of alternating runs, with the first and third quartile in brackets; compare ratios, not
seconds.

The contestants, each written as its own documentation recommends ([code](contestants)):

- **ours**: `StopInferenceExperiment`.
- **waiting inside**: the same handler, told to wait as it did before: inside its invocation, and by
  a rule only after 12.5 minutes.
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

- **It rests on an event that AWS does not promise.** Whether an experiment's update of its endpoint
  sends an event is assumed. Where none comes, the answer is up to a minute late; a function that
  waits inside, or the provider framework, sees each end within seconds.
- **Waiting is billed.** A stop with crhelper or AwsCustomResource costs next to nothing: crhelper
  polls every two minutes, AwsCustomResource does not wait. Ours stays for 20 s after the Stop, for
  a hundredth of a cent.
- **More calls for a request that stops nothing:** two of its stack, which tell whether the request
  is still the one that counts.
- **More describe calls** than crhelper's: ten after the Stop, then one a minute. Under throttling a
  Stop begins later, but nothing fails.
- **More resources** than AwsCustomResource or crhelper for the first experiment: a log group with
  retention, an invoke configuration, the rules' permission and separate policies, which are deleted
  last. The permission is the eighth, one more than the target was: without it each stop would write
  a statement into the function's policy, which has room for about forty.
- **The first answer of a cold start takes longer** than with the handler of crhelper's README. Ours
  is imported sooner: it creates no client before it needs it, and botocore parses only the part of
  SageMaker's model that it uses. But a creation is not answered before its stack has been read. For
  that it needs a client of CloudFormation, with all of its model, and a third connection, whose
  trusted certificates take as long to load as the client. The handler itself is more code, too: it
  validates its input and what it reads from AWS.
- **Synth takes longer** than AwsCustomResource's. That target is missed, and stays; the reason is
  V8's optimiser. The one beside it is the provider framework's, in the same run; the difference is
  about that of two runs. By hand, on a busy machine, in seconds of CPU:

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

REQUESTS = """\
What each kind of request asks of AWS, stops of a minute, virtual time. Every request but the Delete
of an ended experiment reads its stack, an answer to a creation included, and a stop looks twice. A
Delete looks for a polling rule, which only it can remove:
"""
COLD_RUNS = """\
{runs} alternating runs. *Import* is Lambda's init; *first answer* is the time until a Create is
answered, where everything is real except name lookup, TCP and the TLS handshake. *crhelper
without clients* is the same handler when crhelper believes that it runs under SAM local and
creates none of its three clients: the lower bound for any handler on crhelper and boto3.
"""
MANY = """\
All requests in the same moment, each stack of at most forty with its provider; the real handlers in
virtual time. AWS does not publish these rates; bursts are twice the rate, and *busiest* is the most
calls in a second. Stops take 23 s more than whole minutes. 200 of crhelper's are left out: its
function's policy has no room for that many rules. *Failed* has no SUCCESS within the hour; the lag
is that of the answers after an end.
"""
LOOSENED = """\
Targets for lag are looser than when the function waited inside: p50 went from 1.6 to 2 s, p99 from
3.2 to 5 s, and where no event comes, an answer may take a minute. In return, a stop of 14 minutes
costs a thirtieth and one of 50 minutes a hundredth of what it did, and holds no Lambda execution
meanwhile: new accounts have ten. Where the event comes, the old targets are met, too.
"""
STORIES = """\
One test, stops of 2 to 54.5 minutes at random, the shipped handler in virtual time. *Billed* are
the seconds of all invocations together, the cold start of the first included. The last column has
stops of more than 53 minutes, too: a firing near the deadline of 55 minutes stays.
"""
TOGETHER = """\
As many rules fire at once. In the second row Lambda has no container left, and starts them all
anew:
"""
FEW = """\
Forty at once in an account with {executions} concurrent executions. Lambda puts an invocation off
by 1, 2, 4, … seconds, at most 5 minutes; *all taken* is how long no other function could start:
"""
TIMEOUT = """\
A ServiceTimeout of 300 s:
"""
MEMORY_CURVE = """\
Time to the first answer by memory size, computed from CPU seconds and Lambda's share of a vCPU
(memory / 1769 MB), and measured with the process paused for the rest of the time; and the price
of the first invocation of a stop, which is most of it:
"""
MEMORY_CHOICE = """\
The first invocation waits for 20 s and computes for a second, so its price is roughly proportional
to its memory. 256 MB is five times the peak, and starts twice as fast as 128 MB for US$ 0.00005
more. 512 MB would start three seconds sooner, once per stop, for almost twice the price.
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
simulated cold start; ours takes {cold:g} s, not less than section 3 measures. The endpoint settles
together with the experiment, since only ours waits for it, and its event comes a second later. A
firing is billed as an event, although AWS does not charge for rules on its own events.
"""
