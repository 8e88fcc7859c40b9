"""Where events go, how they are signed, sent, and sent again."""
