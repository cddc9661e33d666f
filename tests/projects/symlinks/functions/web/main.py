from pathlib import Path

from latest import page

ROOT = Path(__file__).parent


def handler(event, context):
    links = [path.name for path in ROOT.rglob("*") if path.is_symlink()]
    return {"page": page.TEXT, "text": (ROOT / "current.txt").read_text().strip(), "links": links}
