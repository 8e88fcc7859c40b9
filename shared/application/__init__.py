"""The use cases: one module each, on the ports of `ports.py`."""
