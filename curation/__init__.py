"""The library: sources, models, tools, rollouts, graders, stages and exporters, without Prefect."""
