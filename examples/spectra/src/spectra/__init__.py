"""Spectra answers SQL over a small columnar warehouse."""
