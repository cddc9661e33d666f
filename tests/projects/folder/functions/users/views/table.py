from markupsafe import escape


def rows(users):
    return [str(escape(f"<{user['name']}, {user['born']}>")) for user in users]
