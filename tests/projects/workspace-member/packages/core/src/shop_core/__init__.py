UNIT = "pound"
