import rows


def handler(event, context):
    return rows.ROWS
