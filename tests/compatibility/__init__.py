"""What stacks armed by a released version expect of every later one."""
