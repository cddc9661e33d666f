"""The recipes: what a command does, from a plan to published artifacts, readable from top to bottom."""
