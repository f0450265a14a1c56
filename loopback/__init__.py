"""A loopback AWS under a virtual clock, on which the real handler runs.

The handler, crhelper, boto3 and botocore are the real ones, from Lambda's event to the bytes of
each request. What they talk to is a model of SageMaker, CloudFormation, EventBridge, Lambda and
the bucket behind the ResponseURL that keeps AWS's limits and a journal of everything, and that
fails on order. Time is the model's as well: an hour of waiting takes milliseconds.

``World`` puts it together. With ``World().installed()``, boto3 and the answers to CloudFormation
reach the model and nothing else; ``deliver`` sends a request, ``run_to_quiet`` lets time pass::

    with World().installed() as world:
        world.experiment("Running")
        asked = world.deliver(world.request("Delete"))
        world.run_to_quiet()
    print(asked.answer)

========================================  ==========================================================
``world``                                 the account, and how a request is made
``aws``, ``wire``, ``transport``          calls and answers, between botocore and the services
``https_server``                          the same over sockets and TLS
``sagemaker``, ``eventbridge``,
``cloudformation``, ``function``          the services
``clock``, ``faults``, ``journal``        virtual time, failures on order, what has happened
``containers``                            cold containers of Lambda's
``delivery``                              properties as CloudFormation delivers them
``stock``                                 a handler as crhelper's README has it, to compare with
========================================  ==========================================================
"""
