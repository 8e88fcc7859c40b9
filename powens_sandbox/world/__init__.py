"""The records, and everything that can happen to them. No HTTP here and no waiting."""
