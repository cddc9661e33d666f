"""Verbs: one file is one arrow of the build."""
