raise RuntimeError("not a part of users")
