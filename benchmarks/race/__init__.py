"""What `benchmarks/run` is made of: the races, the runner, the machine, the report. Needs Python alone."""
