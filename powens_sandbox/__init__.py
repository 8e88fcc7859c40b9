"""A stand-in for Powens: REST API, Webview pages and webhooks, with faults on demand.

It runs as a process of its own (`python -m powens_sandbox`), keeps everything in memory, and knows nothing of the
systems that talk to it. `README.md` is its manual.
"""
