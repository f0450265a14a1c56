"""What to do about a request: pure functions, no clock, no AWS, no crhelper."""
