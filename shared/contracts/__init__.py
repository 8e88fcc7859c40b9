"""The shapes that cross our borders: what we publish, queue, accept and answer."""
