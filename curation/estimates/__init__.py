"""What attempts say of a sample and of a pool: rules that end early, estimates, intervals."""
