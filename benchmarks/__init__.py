"""What lambdabuild costs beside what people use today: whole processes, in turn, on one machine."""
