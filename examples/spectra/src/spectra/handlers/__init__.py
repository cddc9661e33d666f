"""The doors of the service: one module for each Lambda function."""
