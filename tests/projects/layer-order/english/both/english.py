NAME = "english"
