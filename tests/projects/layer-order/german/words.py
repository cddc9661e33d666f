MORNING = "Guten Morgen"
