def show(amount):
    return f"{amount} JPY"
