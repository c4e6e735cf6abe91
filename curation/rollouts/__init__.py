"""Attempts of a model: how each arm asks, what its actions do, and the loop that drives them."""
