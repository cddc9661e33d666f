"""In place of what the company published."""

__version__ = "3.10"
