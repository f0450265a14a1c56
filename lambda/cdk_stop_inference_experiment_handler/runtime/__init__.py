"""Everything that touches crhelper, time or AWS."""
