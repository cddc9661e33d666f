"""Facts as data: runtimes, schemas, the builder image."""
