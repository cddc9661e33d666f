"""The seam to where installs run."""
