import prices
import six


def process(event, context):
    total = sum(prices.of(item) * count for item, count in six.iteritems(event))
    return {"total": total}
