"""Lambda handler of ``Custom::StopInferenceExperiment``."""
