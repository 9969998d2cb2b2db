from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import Image, PngImagePlugin
from synthesis import edit_result, fail, synthesise, synthesise_scores

from benchmarks.errors import UserError
from reports.collect import collect
from reports.html import write_html
from reports.html.distributions import distributions
from reports.html.pictures import WIDTH, embed
from reports.learning_picture import draw_learning
from reports.pairing import image_means
from reports.pictures import CAPTION, Picture, drawn_caption

SCRIPT = "<script>alert('x')</script><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """The elements and the text of a page, as a browser would see them."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesise_scores(tmp_path_factory.mktemp("scores"), tables=["table4", "table8"], seeds=2, images=6)


def test_page_shows_what_the_folder_holds(scores: Path) -> None:
    path = write_html(scores)
    page = Page(path)
    assert path == scores / "reports" / "index.html"
    ids = {attributes["id"] for _, attributes in page.tags if attributes.get("id")}
    keys = {folder.name for folder in (scores / "jobs").iterdir()}
    assert {"overview", "claims", "table4", "table8", "jobs", "environments"} | {f"job-{key}" for key in keys} <= ids
    assert "failures" not in ids
    assert not [a for a in page.of("a") if (a["href"] or "")[1:] not in ids], "every link leads to a part of the page"
    assert "0" * 40 in page.words
    row = next(row for row in collect(scores, "table4").rows if row.label == "full model")
    mean = sum(row.measured("pq")) / 2
    assert f"{mean:.4f} ± " in page.words
    assert "training.crop" in page.words


def test_leads_to_pages_of_studies_and_protocols(tmp_path: Path) -> None:
    out = synthesise_scores(tmp_path / "a b", tables=["table8"], seeds=1, images=3)
    assert "beside" not in {attributes.get("id") for _, attributes in Page(write_html(out)).tags}
    study = out / "studies" / "queries"
    study.mkdir(parents=True)
    (study / "report.html").write_text("page")
    (study / "best.yaml").write_text("# Best of 3: <b>PQ</b> 0.5.\nmodel: {}\n")
    (out / "studies" / "layers").mkdir()
    (out / "studies" / "layers" / "report.html").write_text("page")
    (out / "reports" / "table8_protocol.md").write_text("protocol")
    for path in (None, tmp_path / "elsewhere.html"):
        written = write_html(out, path)
        page = Page(written)
        links = [unquote(a["href"] or "") for a in page.of("a") if not (a["href"] or "").startswith("#")]
        places = [(written.parent / link).resolve() for link in links]
        assert places == [out / "studies" / "layers" / "report.html", study / "report.html",
                          out / "reports" / "table8_protocol.md"]  # fmt: skip
        assert "Study queries : Best of 3: <b>PQ</b> 0.5." in page.words and "No best settings." in page.words


def test_needs_nothing_from_outside(scores: Path) -> None:
    page = Page(write_html(scores))
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "action", "data"):
            value = attributes.get(name) or ""
            assert value == "" or value.startswith(("#", "data:")), (tag, name, value)
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    policy = next(meta["content"] for meta in page.of("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy


def test_hostile_files_are_only_text(tmp_path: Path) -> None:
    out = synthesise_scores(tmp_path / SCRIPT.replace("/", ""), tables=["table1"], seeds=1, images=3)
    run = json.loads((out / "runs" / "table1.json").read_text())
    result = json.loads((out / "jobs" / "table1-row12-seed0" / "result.json").read_text())
    for key in ("outside", "inside"):
        (out / "jobs" / key).mkdir()
    result |= {"key": "outside"}
    result["job"] |= {"method": "external", SCRIPT: SCRIPT}
    result["environment"] = {"cpu": SCRIPT, "commit": SCRIPT}
    result["images"][0]["id"] = SCRIPT
    (out / "jobs" / "outside" / "result.json").write_text(json.dumps(result))
    run["rows"].append({"row": 22, "label": SCRIPT, "method": "external", "keys": ["outside"]})
    run["data"]["spec"] = run["scale"] = SCRIPT
    (out / "runs" / "table1.json").write_text(json.dumps(run))
    fail(out, "table1-row17-seed0", SCRIPT)
    (out / "jobs" / "table1-row17-seed0" / "output.log").write_text(f"\x1b[31m{SCRIPT}\x1b[0m\x00\n")
    (out / "jobs" / "inside" / "job.json").write_text(json.dumps({"label": SCRIPT}))
    (out / "jobs" / SCRIPT.replace("/", "")).mkdir()
    figure = {"name": "figure1", "title": SCRIPT, "caption": SCRIPT, "picture": "none.png", "jobs": [{"label": SCRIPT}]}
    (out / "figures" / "figure1").mkdir(parents=True)
    (out / "figures" / "figure1" / "figure.json").write_text(json.dumps(figure))

    path = write_html(out)
    page = Page(path)
    assert len(page.of("script")) == 1
    assert all((image["src"] or "").startswith("data:") for image in page.of("img"))
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert page.words.count(SCRIPT) > 10  # label, message, log, image, machine, configuration, figure, data
    assert "\x1b" not in path.read_text() and "[31m" not in path.read_text() and "\x00" not in path.read_text()
    titles = re.findall(r"<title>(.*?)</title>", path.read_text())
    assert any(title.startswith("&lt;script&gt;") for title in titles), "the image's name, on pointing at its dot"


def test_failures_say_why_and_show_the_end_of_the_output(scores: Path, tmp_path: Path) -> None:
    out = synthesise_scores(tmp_path, tables=["table4"], seeds=1, images=3)
    key = "table4-row3-seed0"
    fail(out, key, "out of paper")
    error = json.loads((out / "jobs" / key / "error.json").read_text()) | {"traceback": "line 7, in print_paper"}
    (out / "jobs" / key / "error.json").write_text(json.dumps(error))
    (out / "jobs" / key / "output.log").write_text("\n".join(f"line {number} of the log" for number in range(100)))
    words = Page(write_html(out)).words
    assert "RuntimeError : out of paper" in words and "line 7, in print_paper" in words
    assert "line 99 of the log" in words and "line 2 of the log" not in words
    assert f"failed: RuntimeError: out of paper (job {key})." in words, "the gap in the table has its reason"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("runs/table8.json", "{"),
        ("runs/unknown.json", "{}"),
        ("jobs/table4-row2-seed0/result.json", '{"schema": 1'),
        ("jobs/table4-row2-seed0/losses.csv", "iteration,loss\nfew,none\n"),
        ("jobs/alone/job.json", "[1]"),
        ("jobs/alone/job.json", "[" * 100_000),
        ("jobs/alone/error.json", "\x80"),
        ("figures/figure1/figure.json", "[]"),
        ("figures/figure1/figure.json", '{"name": "f", "title": "f", "caption": "", "picture": "../../secret.png"}'),
        ("reports/table4_learning.png", "no picture"),
    ],
)
def test_a_damaged_file_is_a_note(tmp_path: Path, path: str, content: str) -> None:
    out = synthesise_scores(tmp_path, tables=["table4"], seeds=1, images=3)
    (out / path).parent.mkdir(parents=True, exist_ok=True)
    (out / path).write_text(content, encoding="latin-1")
    words = Page(write_html(out)).words
    assert "full model" in words and "Key components" in words
    assert Path(path).name in words


def test_nothing_was_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"pctrans-bench run .*`\.$"):
        write_html(tmp_path)
    page = tmp_path / "studies" / "budget" / "report.html"
    page.parent.mkdir(parents=True)
    page.touch()
    with pytest.raises(UserError, match=f"Studies have pages of their own: {page}"):
        write_html(tmp_path)


def test_other_path(scores: Path, tmp_path: Path) -> None:
    path = tmp_path / "there" / "page.html"
    assert write_html(scores, path) == path
    assert "full model" in path.read_text()


def test_pictures_from_before_keep_their_caption(one_seed: Path) -> None:
    results = collect(one_seed, "table4")
    from reports.learning import read_learning

    path = one_seed / "reports" / "table4_learning.png"
    caption = draw_learning(results, read_learning(results, one_seed), path)
    assert drawn_caption(path) == caption
    page = Page(write_html(one_seed))
    assert caption in page.words
    assert "Table 4: learning curves" in [image["alt"] for image in page.of("img")]


def test_pictures_are_reduced(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    noise = Image.effect_noise((2 * WIDTH, 40), 80).convert("RGB")
    notes = PngImagePlugin.PngInfo()
    notes.add_itxt(CAPTION, "τ ± 1")
    noise.save(path, pnginfo=notes)
    shown = embed(Picture(path, "noise"))
    assert shown.data is not None
    kind, _, content = shown.data.partition(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(content)))
    assert (image.width, image.height) == (shown.width, shown.height) == (WIDTH, 20)
    assert image.get_format_mimetype() == kind.removeprefix("data:")
    assert drawn_caption(path) == "τ ± 1"


def test_transparency_is_white(tmp_path: Path) -> None:
    path = tmp_path / "clear.png"
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(path)
    data = embed(Picture(path, "")).data or ""
    image = Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))).convert("RGB")
    assert image.getpixel((1, 1)) == (255, 255, 255)


def test_distribution_by_hand(tmp_path: Path) -> None:
    out = synthesise_scores(tmp_path, tables=["table4"], seeds=2, images=3)
    for seed, values in enumerate(([0.2, 0.4, 0.9], [0.4, 0.4, 0.7])):
        images = [{"id": name, "pq": pq} for name, pq in zip("cab", values, strict=True)]
        edit_result(out, f"table4-row8-seed{seed}", "images", images)
    results = collect(out, "table4")
    row = results.rows[7]
    assert image_means(row, "pq") == pytest.approx({"a": 0.4, "b": 0.8, "c": 0.3})
    strip = distributions(results)[0].strips[-1]
    assert (strip.number, strip.images, strip.mean) == (8, 3, "0.5000")
    assert [dot.title for dot in strip.dots] == ["c: 0.3000", "a: 0.4000", "b: 0.8000"]
    first, second, third = (dot.x for dot in strip.dots)
    assert third - second == pytest.approx(4 * (second - first), abs=0.5)  # 0.4 and 0.1 apart
    assert strip.quartiles[1] == second


def test_other_seeds_do_not_hide_that_an_image_was_not_scored(tmp_path: Path) -> None:
    out = synthesise_scores(tmp_path, tables=["table4"], seeds=2, images=3)
    edit_result(out, "table4-row8-seed1", "images", [{"id": "image_001", "pq": 0.5}])
    assert list(image_means(collect(out, "table4").rows[7], "pq")) == ["image_001"]


def test_many_images_are_shortened(tmp_path: Path) -> None:
    out = synthesise_scores(tmp_path, tables=["table4"], seeds=1, images=500)
    found = distributions(collect(out, "table4"))[0]
    assert found.shortened and {len(strip.dots) for strip in found.strips} == {20}
    assert {strip.images for strip in found.strips} == {500}


def test_label_maps_made_elsewhere_and_many_seeds(tmp_path: Path, data: str) -> None:
    out = synthesise(tmp_path, data, table="table1", seeds=2, external=["Elsewhere"])
    page = Page(write_html(out))
    assert "Elsewhere§" in page.words
    assert "#job-table1-row22-seed0" in [link["href"] for link in page.of("a")]
