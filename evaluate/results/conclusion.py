"""The outcome of an evaluation in a few sentences: the best model of each kind of row."""

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal

from hypermagnetics.evaluate.results.numbers import per_cent, share_text
from hypermagnetics.evaluate.results.published import published_error
from hypermagnetics.evaluate.results.records import DatasetRecord, Evaluation, Results
from hypermagnetics.metrics import is_withheld
from hypermagnetics.models import Knowledge

_OPENINGS: dict[Knowledge | None, str] = {
    Knowledge.KERNEL: "Knowing the kernel",
    Knowledge.LABELS: "From labels alone",
    None: "By knowledge that is not stated",
}
"""First words of a sentence about rows of one kind, in the order of the sentences."""


def conclusions(results: Results) -> tuple[str, ...]:
    """Sentences on the best subjects, each among those of its kind.

    The best has the least median error of the potential on the split with most sources.

    Args:
        results: All results.

    Returns:
        A sentence for each dataset and kind of row; none of baselines.
    """
    return tuple(
        _sentence(results, dataset, knowledge, own)
        for dataset in results.datasets
        for knowledge in _OPENINGS
        if (own := list(_with_most_sources(results, dataset, knowledge)))
    )


def _with_most_sources(
    results: Results, dataset: DatasetRecord, knowledge: Knowledge | None
) -> Iterator[Evaluation]:
    """Yield the evaluations of one kind of row on the split of a dataset with most sources."""
    names = {
        one.name
        for one in results.subjects
        if one.kind != "baseline" and one.knowledge is knowledge
    }
    own = [
        one for one in results.evaluations if one.dataset == dataset.name and one.subject in names
    ]
    if own:
        split = max(own, key=lambda one: max(_numbers_of_sources(one))).split
        yield from (one for one in own if one.split == split)


def _numbers_of_sources(one: Evaluation) -> list[int]:
    """Least and largest numbers of sources of groups of samples; 0 if nothing is known of them."""
    return [int(number) for key in one.potential.by_num_sources for number in key.split("-")] or [0]


def _sentence(
    results: Results,
    dataset: DatasetRecord,
    knowledge: Knowledge | None,
    own: Sequence[Evaluation],
) -> str:
    best = min(own, key=_error)
    is_best = len(own) > 1 and math.isfinite(_error(best))
    several = f", the best of {len(own)}," if is_best else ""
    of = f" of {dataset.name}" if len(results.datasets) > 1 else ""
    where = [f"medians{_sources_text(best)}, {best.split}{of}"]
    if best.exact_pairs is not None:
        where.append(f"{_plain_per_cent(best.exact_pairs)} of the pairs exact")
    parts = [
        f"{_OPENINGS[knowledge]}, {best.subject}{several} {_errors_text(best)} ({'; '.join(where)})"
    ]
    if nonfinite := max(best.potential.nonfinite_fraction, best.field.nonfinite_fraction):
        parts.append(f"{_plain_per_cent(nonfinite)} of its values are not finite")
    if knowledge is Knowledge.LABELS:
        parts += _beside_published(best, dataset)
    return "; ".join(parts) + "."


def _error(one: Evaluation) -> float:
    """Median relative error of the potential, to be minimised; infinite where it is undefined."""
    found = one.potential.median_relative_error
    return math.inf if math.isnan(found) else found


def _errors_text(one: Evaluation) -> str:
    errors = [found.median_relative_error for found in (one.potential, one.field)]
    potential, field = map(_error_text, errors)
    if all(map(math.isfinite, errors)):
        return f"is off by {potential} in the potential and {field} in the field"
    return f"has an error that is {potential} in the potential and {field} in the field"


def _error_text(error: float) -> str:
    if math.isnan(error):
        return "undefined"
    if math.isinf(error):
        return "infinite"
    return _plain_per_cent(error)


def _plain_per_cent(share: float) -> str:
    """Per cent without an exponent, to be read aloud."""
    return f"{Decimal(per_cent(share)):f} %"


def _sources_text(one: Evaluation) -> str:
    numbers = _numbers_of_sources(one)
    least, most = min(numbers), max(numbers)
    if most == 0:
        return ""
    if least < most:
        return f", {least} to {most} sources"
    return f", {most} source" + "s" * (most > 1)


def _beside_published(one: Evaluation, dataset: DatasetRecord) -> Iterator[str]:
    """Yield the global L2 beside the published one, if there is one for such samples."""
    published = published_error(dataset.bodies, tuple(_numbers_of_sources(one)))
    if published is None:
        return
    share = one.potential.global_relative_l2_largest_share
    ours = _error_text(one.potential.global_relative_l2)
    yield f"its global L2 of the potential is {ours}, published: {per_cent(published)} %" + (
        f", but one sample holds {share_text(share)} % of a norm" if is_withheld(share) else ""
    )
