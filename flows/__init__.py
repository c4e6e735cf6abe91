"""The Prefect layer: flows over the stages of `curation`, and recipes; no data logic."""
