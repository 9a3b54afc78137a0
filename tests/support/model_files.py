"""Model files and checkpoints whose first line is changed."""

import json
from pathlib import Path


def edit_header(path: Path, **changes: object) -> None:
    """Change the first line."""
    line, leaves = path.read_bytes().split(b"\n", 1)
    path.write_bytes(json.dumps(json.loads(line) | changes).encode() + b"\n" + leaves)
