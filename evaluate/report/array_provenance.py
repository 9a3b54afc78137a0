"""Provenance on pages of networks from arrays to arrays, of maps and of rollouts alike."""

from collections.abc import Sequence

from hypermagnetics.evaluate.report.formats import count
from hypermagnetics.evaluate.report.tables import definitions
from hypermagnetics.evaluate.results.array_records import ArrayResults


def array_provenance(results: ArrayResults, names: Sequence[str]) -> str:
    """Networks, datasets, software and machine as HTML.

    Args:
        results: All results.
        names: Networks on the page.
    """
    parts = ["<h3>Subjects</h3>"]
    parts += [
        definitions(
            (
                ("Subject", one.name),
                ("From", one.place),
                ("Reads", one.input),
                ("Gives", one.target),
                ("Parameters", count(one.num_parameters)),
                ("sha256", one.sha256),
            )
        )
        for one in results.subjects
        if one.name in names
    ]
    parts.append("<h3>Datasets</h3>")
    parts += [
        definitions(
            (
                ("Dataset", one.name),
                ("Title", one.title),
                ("From", one.place),
                ("sha256 of manifest", one.sha256),
            )
        )
        for one in results.datasets
    ]
    software = ", ".join(f"{name} {version}" for name, version in results.software.items())
    machine = (
        ("Software", software),
        ("Device", results.device),
        ("Processor", results.processor),
        ("Matrix products of networks", results.matmul),
    )
    return "\n".join([*parts, "<h3>Made with</h3>", definitions(machine)])
