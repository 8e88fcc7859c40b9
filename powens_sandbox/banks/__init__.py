"""The institutions, the accounts that they hold, and for whom."""
