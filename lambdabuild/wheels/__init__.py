"""Wheels as they are: kept by their sha256, fetched, and read for what installing them lays down."""
