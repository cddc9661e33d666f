def show(amount):
    return f"{amount} EUR"
