"""The resources as Powens shows them."""
