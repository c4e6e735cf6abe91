"""Recipes: the records, the TOML file, the presets, and how settings are bound and checked."""
