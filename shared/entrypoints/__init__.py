"""What the handlers have in common."""
