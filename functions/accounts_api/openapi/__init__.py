"""The API's description of itself, made when somebody asks for it: a cold start imports nothing of this."""
