"""A loopback AWS under a virtual clock, and the tests that run the real handler on it.

The handler, crhelper, boto3 and botocore are the real ones, from Lambda's event to the bytes of
each request. What they talk to is a model of SageMaker, CloudFormation, EventBridge, Lambda and
the bucket behind the ResponseURL that keeps AWS's limits and a journal of everything, and that
fails on order. Time is the model's as well: an hour of waiting takes milliseconds.
"""
