from pathlib import Path


def handler(event, context):
    root = Path(__file__).parent
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
