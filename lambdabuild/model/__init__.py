"""Nouns: frozen values and pure functions. Nothing here opens a file, reads a clock or the environment, or prints."""
