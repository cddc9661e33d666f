"""Programs that run where distributions are worked on: the interpreter there, its standard library, nothing else."""
