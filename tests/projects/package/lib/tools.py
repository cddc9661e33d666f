"""Beside the package, and below source."""
