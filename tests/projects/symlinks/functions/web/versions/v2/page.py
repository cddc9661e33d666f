TEXT = "version 2"
