"""The whole system on one machine, offline: an AWS double, the built functions, the API, the page."""
