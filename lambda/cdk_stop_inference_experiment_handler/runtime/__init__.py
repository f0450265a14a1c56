"""Where the function meets crhelper, time and AWS."""
