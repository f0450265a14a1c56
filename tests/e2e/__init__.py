"""Histories of whole stacks: CloudFormation, the function and IAM, on the local AWS."""
