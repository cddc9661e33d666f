MORNING = "Good morning"
