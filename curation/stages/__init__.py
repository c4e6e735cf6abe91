"""The stages of a run, in order; each is a function from a job to its count."""
