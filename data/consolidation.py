"""Consolidated metadata: the copy of the arrays' metadata that Zarr's users add to a group."""

import json

CONSOLIDATED = "consolidated_metadata"
"""Its key in the zarr.json of a group."""


def before_consolidation(content: bytes) -> bytes:
    """The zarr.json of a group as it was written.

    Args:
        content: The file as it is.

    Returns:
        Its bytes without the copy that `zarr.consolidate_metadata` puts there; `content` if there
        is none.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return content
    if not isinstance(found, dict) or CONSOLIDATED not in found:
        return content
    del found[CONSOLIDATED]
    written = {key: found.pop(key, None) for key in ("attributes", "zarr_format", "node_type")}
    return json.dumps(written | found, indent=2).encode()
