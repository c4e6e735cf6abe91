"""Benchmarks: what the project claims about speed and memory, measured against a bar."""
