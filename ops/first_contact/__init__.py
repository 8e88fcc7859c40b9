"""The first contact of a deployment with the real AWS and the real Powens (docs/first-contact.md).

`deployment` looks whether a stack is as it has to be; `journey` plays what a user does, with Powens' test connector;
and `unknowns` compares what was seen with what docs/unknowns.md assumes.
"""
