"""Programs that run in the Lambda image, by its interpreter, and import nothing but the standard library."""
