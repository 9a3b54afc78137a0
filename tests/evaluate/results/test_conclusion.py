"""The outcome of an evaluation in sentences, by cases."""

import math
from dataclasses import replace

import pytest
from evaluate_records import evaluation, quantity, results

from hypermagnetics.evaluate.results.conclusion import conclusions
from hypermagnetics.evaluate.results.records import DatasetRecord, Evaluation, Results
from hypermagnetics.evaluate.results.tables import TableFormat, results_text
from hypermagnetics.models import Knowledge

OTHERS = DatasetRecord("prisms", "prisms", "ab", "Prisms", 3, ("cuboid",), 1.0)


def one(
    subject: str, potential: float, field: float = 0.4, sources: str = "4", **changes: object
) -> Evaluation:
    """A subject with these medians on samples of these numbers of sources."""
    found = quantity(potential)
    found = replace(found, by_num_sources=dict.fromkeys(sources.split(), found))
    return evaluation(subject, potential=found, **({"field": quantity(field)} | changes))


def known(found: Results, **knowledge: Knowledge) -> Results:
    """The same with the knowledge of some subjects; baselines are no models."""
    return replace(
        found,
        subjects=tuple(
            replace(
                record,
                knowledge=knowledge.get(record.name),
                kind="baseline" if knowledge.get(record.name) == "baseline" else record.kind,
            )
            for record in found.subjects
        ),
    )


def test_kinds_of_rows_have_a_sentence_each() -> None:
    """The kernel's with the share of exact pairs, that of labels beside the published error."""
    found = results(one("run", 0.00476, 0.0411), one("split", 5.8e-7, 5.7e-6, exact_pairs=0.331))
    found = known(found, run=Knowledge.LABELS, split=Knowledge.KERNEL)
    assert conclusions(found) == (
        "Knowing the kernel, split is off by 0.000058 % in the potential and 0.00057 % in the "
        "field (medians, 4 sources, test_multi; 33.1 % of the pairs exact).",
        "From labels alone, run is off by 0.476 % in the potential and 4.11 % in the field "
        "(medians, 4 sources, test_multi); its global L2 of the potential is 7 %, published: "
        "4.76 %.",
    )


def test_the_best_is_the_best_of_its_kind() -> None:
    """By the median of the potential; baselines and learned parts take no part."""
    found = known(
        results(one("a", 0.02), one("b", 0.01, 0.9), one("c", 1e-6), one("exact", 1e-9)),
        a=Knowledge.LABELS,
        b=Knowledge.LABELS,
        c=Knowledge.KERNEL,
        exact=Knowledge.BASELINE,
    )
    kernel, labels = conclusions(found)
    assert kernel.startswith("Knowing the kernel, c is off by 0.0001 %")
    assert labels.startswith("From labels alone, b, the best of 2, is off by 1 % in the potential")
    assert "90 % in the field" in labels
    part = tuple(
        replace(record, kind="baseline", learned_part_of="b") if record.name == "c" else record
        for record in found.subjects
    )
    assert len(conclusions(replace(found, subjects=part))) == 1


def test_the_split_with_most_sources_counts() -> None:
    """Wherever it stands; a range of numbers is told."""
    single = replace(one("run", 0.001, sources="1"), split="test_single")
    many = replace(one("run", 0.03, sources="1 2-3 17-32"), split="test_many")
    for order in ((single, many), (many, single)):
        (said,) = conclusions(known(results(*order), run=Knowledge.LABELS))
        assert "off by 3 %" in said
        assert "(medians, 1 to 32 sources, test_many)." in said
        assert "published" not in said
    (said,) = conclusions(known(results(single), run=Knowledge.LABELS))
    assert "(medians, 1 source, test_single); its global L2" in said
    assert said.endswith("published: 4.38 %.")


def test_each_dataset_has_its_own() -> None:
    """With its name; a published error stands beside like samples alone."""
    first, second = one("run", 0.02), replace(one("run", 0.03), dataset="prisms")
    discs = results().datasets[0]
    found = known(results(first, second, datasets=(discs, OTHERS)), run=Knowledge.LABELS)
    of_discs, of_prisms = conclusions(found)
    assert "off by 2 %" in of_discs
    assert "test_multi of discs)" in of_discs
    assert "published" in of_discs
    assert of_prisms.endswith("off by 3 % in the potential and 40 % in the field "
                              "(medians, 4 sources, test_multi of prisms).")  # fmt: skip


@pytest.mark.parametrize(
    ("potential", "field", "text"),
    [
        (math.nan, 0.1, "has an error that is undefined in the potential and 10 % in the field"),
        (0.1, math.inf, "has an error that is 10 % in the potential and infinite in the field"),
    ],
)
def test_errors_that_are_no_numbers_are_named(potential: float, field: float, text: str) -> None:
    """And never the best where there is another."""
    odd = known(results(one("odd", potential, field)), odd=Knowledge.LABELS)
    assert f"From labels alone, odd {text}" in conclusions(odd)[0]
    both = results(one("odd", math.nan), one("sound", 3.0))
    found = known(both, odd=Knowledge.LABELS, sound=Knowledge.LABELS)
    assert "sound, the best of 2, is off by 300 %" in conclusions(found)[0]


def test_values_that_are_not_finite_are_told() -> None:
    """Though the median does not see them; and a global L2 that decides nothing."""
    worse = quantity(0.01, nonfinite_fraction=0.02, global_relative_l2_largest_share=0.5)
    (said,) = conclusions(
        known(results(evaluation(potential=worse, field=worse)), run=Knowledge.LABELS)
    )
    assert said.endswith(
        "; 2 % of its values are not finite; its global L2 of the potential is 7 %, published: "
        "4.76 %, but one sample holds 50 % of a norm."
    )


def test_baselines_alone_have_no_sentence() -> None:
    """Nor has an evaluation of nothing, nor a kind that was not told is taken for another."""
    exact = known(results(one("exact", 1e-9)), exact=Knowledge.BASELINE)
    assert conclusions(exact) == ()
    assert conclusions(replace(exact, evaluations=())) == ()
    (said,) = conclusions(results(one("mine", 0.1)))
    assert said.startswith("By knowledge that is not stated, mine is off by 10 %")
    bare = one("mine", 0.1, sources="")
    assert "(medians, test_multi)" in conclusions(results(bare))[0]


@pytest.mark.parametrize(
    ("table_format", "start"), [("table", ""), ("markdown", ""), ("latex", "% ")]
)
def test_the_sentences_end_the_table(table_format: TableFormat, start: str) -> None:
    """In every format."""
    found = known(
        results(one("run", 0.1), one("split", 1e-6)), run=Knowledge.LABELS, split=Knowledge.KERNEL
    )
    lines = results_text(found, table_format).splitlines()
    assert lines[-2:] == [f"{start}{said}" for said in conclusions(found)]
    assert lines[-3] == start.strip()
