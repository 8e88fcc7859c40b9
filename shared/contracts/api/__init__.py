"""The bodies of the HTTP API and how the ledger shows in them, a file for each subject."""
