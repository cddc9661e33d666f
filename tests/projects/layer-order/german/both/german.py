NAME = "german"
