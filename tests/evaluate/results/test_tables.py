"""The table of results, in every format."""

import math
import re
from dataclasses import replace

import pytest
from evaluate_records import evaluation, quantity, results

from hypermagnetics.evaluate.results.numbers import interval_text, per_cent
from hypermagnetics.evaluate.results.records import DatasetRecord
from hypermagnetics.evaluate.results.tables import TableFormat, results_table, results_text
from hypermagnetics.models import Knowledge


def test_the_table_is_in_per_cent_with_the_published_figures():
    lines = results_text(results(), "table").splitlines()
    assert lines[0] == "Errors in per cent of the truth"
    assert lines[2].split()[:5] == ["split", "quantity", "subject", "knows", "exact"]
    expected = "test_multi potential run - - 7 4.41 4 to 4.82 50 inf 5 7 1.2 0"
    assert " ".join(lines[3].split()) == expected
    assert lines[4].split()[:5] == ["test_multi", "field", "run", "-", "-"]
    assert any("one source: 4.38" in line for line in lines)
    assert any("four sources: 4.76" in line for line in lines)
    assert any("labels alone, unlike a split" in line for line in lines)
    others = DatasetRecord("m", "m", "ab", "Mixed", 2, ("disc", "dipole"), 1.0)
    assert "Published" not in results_text(results(datasets=(others,)), "table")


def test_a_global_l2_that_hangs_on_one_sample_is_said_to_decide_nothing():
    line = (
        'Where "largest sample", its share of a norm, is above 1.5 %, the global L2 has no interval'
    )
    assert line not in results_text(results(), "table")
    hangs = quantity(global_relative_l2_largest_share=0.37)
    text = results_text(results(evaluation(field=hangs)), "table")
    assert line in text
    assert text.splitlines()[4].split()[-2:] == ["37", "0"]
    older = quantity(global_relative_l2_largest_share=None)
    assert line not in results_text(results(evaluation(field=older)), "table")


def test_rows_are_grouped_by_what_models_know():
    names = ("network", "split", "split, learned part", "mine", "exact sum")
    labels, kernel, baseline = Knowledge
    knows = dict(zip(names, (labels, kernel, kernel, None, baseline), strict=True))
    order = ("exact sum", "split", "split, learned part", "mine", "network")
    found = results(*(evaluation(name) for name in order))
    records = tuple(replace(one, knowledge=knows[one.name]) for one in found.subjects)
    evaluations = tuple(
        replace(one, exact_pairs=0.331) if one.subject == "split" else one
        for one in found.evaluations
    )
    found = replace(found, subjects=records, evaluations=evaluations)
    text = results_text(found, "table")
    table = results_table(found)
    assert table.headings[3:5] == ("knows", "exact pairs")
    for name_of_quantity in ("potential", "field"):
        shown = [row[2:5] for row in table.rows if row[1] == name_of_quantity]
        assert shown == [
            (name, knows[name] or "-", "33.1" if name == "split" else "-") for name in names
        ]
    assert "only their learned part is to be compared" in text
    assert "only their learned part" not in results_text(results(), "table")


def test_several_datasets_are_named():
    record = results().datasets[0]
    both = results(datasets=(record, record))
    assert "discs test_multi" in results_text(both, "table")


def test_columns_are_aligned():
    text = results_text(results(evaluation("a"), evaluation("a-much-longer-name")), "table")
    header, *rows = text.splitlines()[2:7]
    ends = [found.end() for found in re.finditer("median", header)]
    for row in rows:
        assert re.search(r"\d$", row[: ends[0]])


def test_markdown_and_latex_keep_hostile_names_as_text():
    found = results(evaluation("a|b_50%&c"))
    markdown = results_text(found, "markdown").splitlines()
    assert markdown[0].startswith("| split | quantity |")
    assert markdown[1].count("--:") == 10
    assert r"a\|b_50%&c" in markdown[2]
    latex = results_text(found, "latex").splitlines()
    assert latex[0] == r"\begin{tabular}{llllrrrrrrrrrr}"
    assert r"a|b\_50\%\&c" in latex[4]
    assert latex[3] == r"\midrule"
    assert r"\end{tabular}" in latex
    assert latex[-1].startswith("%")


def test_an_interval_that_is_undefined_says_so():
    single = evaluation(potential=quantity(ci95=None))
    assert "undefined" in results_text(results(single), "table").splitlines()[3]
    assert interval_text((0.01, math.inf)) == "1 to inf"


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.0, "0"),
        (0.04414, "4.41"),
        (1.0, "100"),
        (12.3456, "1235"),
        (1e9, "1e+11"),
        (3e-9, "3e-07"),
        (math.nan, "-"),
        (math.inf, "inf"),
    ],
)
def test_per_cent(fraction, text):
    assert per_cent(fraction) == text


@pytest.mark.parametrize(
    ("table_format", "start"), [("table", ""), ("markdown", ""), ("latex", "% ")]
)
def test_fewer_digits_of_products_are_named(table_format: TableFormat, start: str) -> None:
    """In every format; float32 needs no word."""
    line = "Matrix products of the models in tensorfloat32, as asked (--matmul)."
    faster = results(matmul="tensorfloat32")
    assert f"{start}{line}" in results_text(faster, table_format).splitlines()
    assert "Matrix products" not in results_text(results(), table_format)
