"""What a user could write instead, each as its own documentation recommends."""
