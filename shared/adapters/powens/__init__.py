"""Powens' REST API: the transport, the client, what it does for one user, and what the answers say.

- what creates a user or a token is repeated only when Powens was asked too much; reads, account updates and deletions
  are repeated, a few times;
- no method but those of `PowensUser` needs a user token;
- times are aware UTC.
"""
