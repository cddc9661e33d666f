"""lambdabuild turns a Python project into AWS Lambda artifacts: layers, slim function zips and fat zips."""

__version__ = "0.1.0"
