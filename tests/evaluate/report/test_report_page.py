"""The page of a report: whole, honest, alone, and safe from what users call things."""

import re
from dataclasses import replace

import pytest
from evaluate_records import evaluation, quantity, results
from page_reading import elements, rows
from report_records import Wrong, report_inputs, results_of, subject

from hypermagnetics.evaluate.report import tables
from hypermagnetics.evaluate.report.formats import UNDEFINED, per_cent
from hypermagnetics.evaluate.report.slots import SLOTS
from hypermagnetics.evaluate.report.writing import write_report
from hypermagnetics.evaluate.results.conclusion import conclusions
from hypermagnetics.evaluate.results.published import PUBLISHED
from hypermagnetics.evaluate.results.records import BySourcesScores
from hypermagnetics.models import Knowledge

HOSTILE = "../<script>alert(1)</script>\"'&amp; $title ${css} #ffffff"


@pytest.mark.slow
def test_the_page_is_well_formed_and_asks_for_nothing_else(written):
    found = elements(written.page)
    assert {"header", "main", "table", "template", "figure"} <= {one.tag for one in found}
    for one in found:
        for name in ("src", "href", "xlink:href", "action", "data"):
            target = one.attributes.get(name, "")
            assert re.match(r"$|#|figures/[\w+-]+\.(png|svg|csv)$|data:", target), target
        assert not [name for name in one.attributes if name.startswith("on")]
    assert "default-src 'none'" in written.page
    assert not re.search(r"@import|url\((?!#)", written.page)


@pytest.mark.slow
def test_summary_shows_the_numbers_of_the_records(written):
    shown = rows(written.page, "Errors of all subjects")
    for one in written.results.evaluations:
        for scores in (one.potential, one.field):
            row = next(
                row
                for row in shown
                if row[:2] == [one.subject, f"{one.dataset}, {one.split}"]
                and row[4].startswith(per_cent(scores.median_relative_error))
                and row[8].startswith(per_cent(scores.global_relative_l2))
                and row[9] == per_cent(scores.global_relative_l2_largest_share)
            )
            assert row[5] == per_cent(scores.p90_relative_error)
            assert row[10] == per_cent(scores.nonfinite_fraction)
    assert "∞" in {row[6] for row in shown}


@pytest.mark.slow
def test_summary_tells_models_apart_by_what_they_know(written, tmp_path):
    """Those of labels alone first, then those that know the kernel, with the pairs they compute."""
    subjects = [one.name for one in written.results.subjects]
    kinds = dict(zip(subjects, list(reversed(Knowledge))[: len(subjects)], strict=False))
    records = tuple(replace(one, knowledge=kinds.get(one.name)) for one in written.results.subjects)
    evaluations = tuple(replace(one, exact_pairs=0.33) for one in written.results.evaluations)
    found = replace(written.results, subjects=records, evaluations=evaluations)
    shown = rows(write_report(found, [], tmp_path).read_text(), "Errors of all subjects")
    assert shown[0][2:4] == ["Knows", "Exact pairs [%]"]
    ours = [row for row in shown[1:] if row[0] in kinds]
    assert {(row[0], row[2]) for row in ours} == {(name, kinds[name]) for name in kinds}
    assert {row[3] for row in ours} == {"33"}
    data = [row for row in ours if row[1] == ours[0][1]][: len(kinds)]
    assert [row[2] for row in data] == [one for one in Knowledge if one in kinds.values()]
    page = (tmp_path / "index.html").read_text()
    assert "only their learned part is to be compared" in page
    words = {"labels": "knows labels", "kernel": "knows kernel", "baseline": "baseline"}
    named = {f"{name}{words[kind]}" for name, kind in kinds.items()}
    for heading in ("Errors by region", "Laws of physics", "Times of predictions"):
        assert named <= {row[0] for row in rows(page, heading)}
    assert "only their learned part is to be compared" not in written.page


@pytest.mark.slow
def test_the_outcome_stands_at_the_top(written, tmp_path):
    """A sentence for each kind of row, before everything else; names are text."""
    hostile = {"wavy": HOSTILE, "blind": "blind"}
    kinds = {"wavy": Knowledge.KERNEL, "blind": Knowledge.LABELS}
    records = tuple(
        replace(one, name=hostile.get(one.name, one.name), knowledge=kinds.get(one.name))
        for one in written.results.subjects
    )
    evaluations = tuple(
        replace(one, subject=hostile.get(one.subject, one.subject))
        for one in written.results.evaluations
    )
    found = replace(
        written.results, subjects=records, evaluations=evaluations, physics=(), timings=()
    )
    page = write_report(found, [], tmp_path).read_text()
    shown = [one.text for one in elements(page) if one.attributes.get("class") == "conclusion"]
    assert shown == list(conclusions(found))
    assert shown[0].startswith(f"Knowing the kernel, {HOSTILE} ")
    assert shown[1].startswith("From labels alone, blind ")
    assert page.index("</h1>") < page.index('class="conclusion"') < page.index('class="lead"')
    assert "<script>alert" not in page


@pytest.mark.slow
def test_published_numbers_are_shown_for_discs_alone(written):
    shown = rows(written.page, "Errors of all subjects")[-len(PUBLISHED) :]
    assert [row[8] for row in shown] == [per_cent(error) for _, error in PUBLISHED]
    assert "2405.05981" in shown[0][0]


@pytest.mark.slow
def test_other_bodies_have_no_published_numbers(written, tmp_path):
    datasets = tuple(replace(one, bodies=("disc", "dipole")) for one in written.results.datasets)
    place = write_report(replace(written.results, datasets=datasets), [], tmp_path)
    assert "2405.05981" not in place.read_text()


@pytest.mark.slow
def test_tables_tell_of_everything_that_was_measured(written):
    baselines = {one.name for one in written.results.subjects if one.kind == "baseline"}
    worst = [
        one
        for part in written.results.evaluations
        if part.subject not in baselines
        for one in part.worst_samples
    ]
    shown = rows(written.page, "Worst samples")
    assert [row[1] for row in shown[1:]] == [one.name for one in worst]
    laws = rows(written.page, "Laws of physics")
    assert laws[1][3:] == ["0worst 0", "0.02worst 0.3", "1.2worst 20", UNDEFINED]
    assert len(rows(written.page, "Times of predictions")) == 1 + len(written.results.timings)
    text = written.page
    for record in (*written.results.subjects, *written.results.datasets):
        assert record.sha256 in text
    assert "jax 0.10.0" in text
    assert written.results.processor in text


@pytest.mark.slow
def test_missing_parts_are_told_in_a_sentence(single):
    assert "No learning curve of wavy: metrics.jsonl is missing" in single.page
    assert "Times against sources and points were not measured." in single.page
    assert "No times were measured." in single.page


@pytest.mark.slow
@pytest.mark.parametrize("name", ["written", "single"])
def test_every_figure_says_what_it_shows(request, name):
    found = elements(request.getfixturevalue(name).page)
    pictures = [one for one in found if one.attributes.get("role") == "img"]
    figures = [one for one in found if one.tag == "figure"]
    assert len(pictures) == len(figures) > 10
    for one in pictures:
        assert len(one.attributes["aria-label"]) > 60
        assert re.search(r"\d", one.attributes["aria-label"])
    captions = [one for one in found if one.tag == "figcaption"]
    assert all(re.search(r"\w{3}.*PNGSVGCSV$", one.text) for one in captions)
    for one in found:
        if one.tag in ("select", "table"):
            assert "label" in one.inside or one.attributes["aria-label"]


@pytest.mark.slow
def test_equal_input_gives_equal_bytes(single, tmp_path):
    write_report(single.results, single.evaluated, tmp_path)
    names = sorted(file.relative_to(single.out) for file in single.out.rglob("*.*"))
    assert names == sorted(file.relative_to(tmp_path) for file in tmp_path.rglob("*.*"))
    for name in names:
        assert (single.out / name).read_bytes() == (tmp_path / name).read_bytes(), name


@pytest.mark.slow
def test_every_figure_has_its_place(written):
    found = [one for one in elements(written.page) if "data-slot" in one.attributes]
    slots = [one.attributes["data-slot"] for one in found if one.tag == "div"]
    filled = {one.attributes["data-slot"] for one in found if one.tag == "template"}
    assert sorted(slots) == sorted(slot.name for slot in SLOTS)
    assert filled <= set(slots)


@pytest.mark.slow
def test_ids_are_there_once(written):
    """The ids inside figures would be mixed up where several stand on the page."""
    ids = [one.attributes["id"] for one in elements(written.page) if "id" in one.attributes]
    assert len(ids) == len(set(ids)) > 20
    used = re.findall(r"(?:url\(|href=\")#([\w-]+)", written.page)
    assert set(used) <= set(ids)


@pytest.mark.slow
def test_hostile_names_are_words_and_nothing_else(tiny, tmp_path):
    columns = tiny.columns
    _, (one,) = report_inputs(
        {HOSTILE: tiny}, [subject(HOSTILE, Wrong(columns, 1.1), place=HOSTILE)], ["test_multi"]
    )
    results = results_of([one], {HOSTILE: tiny})
    datasets = tuple(replace(record, title=HOSTILE) for record in results.datasets)
    results = replace(results, datasets=datasets, device=HOSTILE, processor=HOSTILE)
    out = tmp_path / "a" / "b"
    page = write_report(results, [one], out).read_text(encoding="utf-8")
    assert page.count("<script>") == 1
    found = elements(page)
    (heading,) = (element for element in found if element.tag == "h1")
    assert heading.text == HOSTILE
    options = {element.text for element in found if element.tag == "option"}
    assert {HOSTILE, f"{HOSTILE}, test_multi"} <= options
    written_files = {file.parent for file in tmp_path.rglob("*.*") if file.is_file()}
    assert written_files == {out, out / "figures"}


@pytest.mark.slow
def test_a_report_of_numbers_alone_has_no_maps(written, tmp_path):
    page = write_report(written.results, [], tmp_path).read_text()
    assert 'data-slot="maps" data-number' not in page
    assert rows(page, "Errors of all subjects") == rows(written.page, "Errors of all subjects")


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.slow
def test_text_has_the_contrast_that_readers_need(written):
    """At least 4.5 to 1, as WCAG 2.2 asks of text, light and dark."""
    themes = re.findall(r"\{([^{}]*--ground: [^{}]*)\}", written.page)
    assert len(themes) == 3
    for theme in themes:
        colours = dict(re.findall(r"--(\w+): (#\w{6})", theme))
        for text in ("text", "muted", "accent"):
            for ground in ("ground", "raised", "hover"):
                light, dark = sorted(
                    (_luminance(colours[text]), _luminance(colours[ground])), reverse=True
                )
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


def test_derivatives_by_the_sources_have_a_table_if_there_are_any():
    slopes = BySourcesScores(**vars(quantity(0.3)), columns=("position_x", "position_y"))
    assert tables.by_sources(results(evaluation())) == ""
    page = tables.by_sources(results(evaluation(by_sources=slopes), evaluation("other")))
    _, *found = rows(f"<main>{page}</main>", "Errors of derivatives by the sources")
    (row,) = found
    assert row[:3] == ["run", "discs, test_multi", "position_x, position_y"]
    assert row[3].startswith("30")
