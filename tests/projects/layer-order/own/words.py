MORNING = "Bonjour"
