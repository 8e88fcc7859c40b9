"""Cold start and warm time of the built functions, beside a bare handler that only creates the same AWS client."""
