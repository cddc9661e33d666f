from sniffio import AsyncLibraryNotFoundError, current_async_library


def library():
    try:
        return current_async_library()
    except AsyncLibraryNotFoundError:
        return None
