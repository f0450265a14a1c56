"""A loopback AWS under a virtual clock, on which the real handler runs.

The handler, crhelper, boto3 and botocore are the real ones, from Lambda's event to the bytes of
each request. They call a model of SageMaker, CloudFormation, EventBridge, Lambda and the bucket
behind the ResponseURL. The model enforces AWS's limits, keeps a journal, and can inject failures.
Time is virtual, too: an hour of waiting takes milliseconds.

``World`` combines these. With ``World().installed()``, boto3 and the answers to CloudFormation only
reach the model; ``deliver`` sends a request, ``run_to_quiet`` lets time pass::

    with World().installed() as world:
        world.experiment("Running")
        asked = world.deliver(world.request("Delete"))
        world.run_to_quiet()
    print(asked.answer)

========================================  ==========================================================
``world``                                 the account, and how a request is made
``aws``, ``wire``, ``query``,
``transport``                             calls and answers, between botocore and the services
``https_server``                          the same over sockets and TLS
``sagemaker``, ``eventbridge``,
``cloudformation``, ``cloudwatch``,
``function``                              the services
``clock``, ``faults``, ``journal``        virtual time, injected failures, what has happened
``containers``                            cold Lambda containers
``delivery``                              properties as CloudFormation delivers them
``stock``                                 the handler of crhelper's README, for comparison
``play``                                  CloudFormation itself, from what its users do
========================================  ==========================================================
"""
