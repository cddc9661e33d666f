def handler(event, context):
    if event:
        from shop.orders.sums import add

        return {"sum": add(event["prices"])}
    return {"sum": 0}
