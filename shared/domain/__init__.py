"""The ledger of synchronised accounts: standard library only, no clock, no I/O, no randomness."""
