"""The page of the server in a headless Chromium, over the server's own routes."""

import json
import pathlib
import re
import urllib.request

import numpy as np
import pytest
from embedding_records import record, table
from headless_chromium import CHROMIUM, browser
from page_server import FACTS, LABELS, MadeUpEngine, serving
from PIL import Image

from remedis.inference.embedding_file import EmbeddingFile
from remedis.serving.neighbour_search import NeighbourSearch
from remedis.serving.served_facts import ServedFacts
from remedis.serving.settings import ServingSettings

pytestmark = [
    pytest.mark.guarantee,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; `make install-tools` installs it"),
]
NAME = "Jane-Doe-1950"  # of a patient, in the names of the files
SCORED = "document.querySelector('#status').textContent.startsWith('Done')"
EXPLAINED = f"{SCORED} && !document.querySelector('#heat-controls').hidden"
TAB, ARROW_LEFT, ARROW_RIGHT, HOME = 9, 37, 39, 36


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Images by name: two with known means, a DICOM file, and a file that is no image."""
    folder = tmp_path_factory.mktemp("images")
    for name, value in (("bright", 255), ("dark", 0)):
        pixels = np.full((60, 48), value, np.uint8)
        Image.fromarray(pixels).save(folder / f"{NAME}-{name}.png")
    (folder / f"{NAME}-text.png").write_text("no image")
    import dicom_helpers

    dicom = dicom_helpers.dataset(np.full((60, 48), 255, np.uint16), bits=8)
    dicom_helpers.write(folder / f"{NAME}-dicom.dcm", dicom)
    return {path.stem.rpartition("-")[2]: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def server():
    with serving(MadeUpEngine()) as (address, bodies):
        yield address, bodies


@pytest.fixture
def page(tab, server):
    """The tab with the page, as it opens."""
    return opened(tab, server[0])


def opened(tab, address):
    tab.size(1400, 900)
    tab.requested.clear()
    tab.complaints.clear()
    tab.go(f"{address}/")
    tab.wait("!document.querySelector('#file').disabled")
    return tab


def asked(address, path, file):
    """Returns the server's own answer to a form with a file."""
    edge = "edge"
    head = f'--{edge}\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    body = head.encode() + file.read_bytes() + f"\r\n--{edge}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={edge}"}
    with urllib.request.urlopen(urllib.request.Request(f"{address}/{path}", body, kind)) as answer:
        return json.load(answer)


def rows(tab):
    """Returns the cells of the table of scores."""
    return tab.run(
        "[...document.querySelectorAll('#scores tbody tr')]"
        ".map(row => [...row.cells].map(cell => cell.innerText))"
    )


def test_it_opens_with_what_must_be_known_first(page, server):
    text = page.text("body")
    assert "Research software, not a diagnostic device." in text
    assert "RANDOM WEIGHTS" in text
    assert FACTS.weights_sha256 in text
    assert FACTS.weights in text
    assert page.text("h1") == page.run("document.title").removesuffix(" - remedis") == "made-up"
    assert page.text("#file-note").startswith("JPEG, PNG or DICOM, at most 67.1 MB.")
    assert not page.complaints


def test_scores_are_those_of_the_server(page, server, files):
    page.choose_file("#file", files["bright"])
    page.wait(EXPLAINED)
    answer = asked(server[0], "predict", files["bright"])
    shown = rows(page)
    assert [row[0] for row in shown] == list(LABELS)
    for row, score in zip(shown, answer["scores"], strict=True):
        assert float(row[1].strip("<> ")) == pytest.approx(score["probability"], abs=6e-4)
    assert [row[2] for row in shown] == ["at or above 0.410", "below 0.600", "none"]
    assert page.text("#status") == "Done: 1 of 2 labels at or above the threshold."
    model = answer["model"]
    assert model["calibration"]["statement"] in page.text("#provenance")
    assert model["thresholds"]["statement"] in page.text("#provenance")
    assert "Positive and negative patients there: pneumonia 7 and 8." in page.text("#provenance")
    assert model["thresholds"]["meanings"]["youden"] in page.text("#kind-meaning")


def test_the_heat_map_lies_over_the_image(page, files):
    page.choose_file("#file", files["bright"])
    page.wait(EXPLAINED)
    boxes = page.run(
        "['image', 'heat'].map(id => {const b = document.getElementById(id)"
        ".getBoundingClientRect(); return [b.x, b.y, b.width, b.height]})"
    )
    np.testing.assert_allclose(boxes[0], boxes[1], atol=1)
    assert page.text("#caption") == "48 x 60 pixels"
    # Colours at the centre of each cell: for the label, against it, and nothing.
    colours = page.run(
        "(async () => {const image = document.getElementById('heat'); await image.decode();"
        "const canvas = new OffscreenCanvas(3, 3), c = canvas.getContext('2d');"
        "c.imageSmoothingEnabled = false; c.drawImage(image, 0, 0, 3, 3);"
        "return [[1, 1], [0, 2], [0, 0]].map(([x, y]) => [...c.getImageData(x, y, 1, 1).data])})()"
    )
    assert colours[0] == [0xD5, 0x5E, 0x00, 255]
    assert colours[1][3] == pytest.approx(127.5, abs=1)
    assert colours[2][3] == 0


def test_it_is_worked_by_keyboard_alone(page, files):
    page.choose_file("#file", files["bright"])
    page.wait(EXPLAINED)
    page.run("document.activeElement.blur(); window.scrollTo(0, 0)")
    reached = []
    for _ in range(8):
        page.press("Tab", TAB)
        here = page.run("document.activeElement.id || document.activeElement.className || 'body'")
        reached.append(here)
        if here == "strength":
            page.press("Home", HOME)
            assert page.run("document.getElementById('heat').style.opacity") == "0"
            assert page.run("document.activeElement.getAttribute('aria-valuetext')") == (
                "image alone"
            )
            page.press("ArrowRight", ARROW_RIGHT)
            assert page.run("document.getElementById('heat').style.opacity") == "0.05"
            assert page.text("#strength-value") == "5 %"
        if page.run("document.activeElement.name") == "kind":
            page.press("ArrowRight", ARROW_RIGHT)
            assert rows(page)[1][2] == "at or above 0.300"
            assert page.text("#status") == "Done: 2 of 2 labels at or above the threshold."
            assert "sensitivity of 0.9" in page.text("#kind-meaning")
    order = [name for name in reached if name in ("skip", "file", "shown", "strength")]
    assert order[:4] == ["skip", "file", "shown", "strength"]


def test_a_screen_reader_is_told_everything(page, files):
    page.choose_file("#file", files["bright"])
    page.wait(EXPLAINED)
    spoken = page.spoken()
    named = ("button", "slider", "combobox", "radio", "image", "table", "region", "group")
    for role in named:
        names = [name for kind, name in spoken if kind == role]
        assert names, role
        assert all(names), role
    assert ("image", "Heat map of pneumonia") in spoken
    assert ("slider", "Strength") in spoken
    assert [name for kind, name in spoken if kind == "rowheader"] == list(LABELS)
    live = page.run(
        "document.querySelector('#status').role + document.querySelector('#fault').role"
    )
    assert live == "statusalert"
    assert page.run("document.documentElement.lang") == "en"


def test_a_fault_is_the_sentence_of_the_server_and_the_next_image_works(page, files):
    page.choose_file("#file", files["bright"])
    page.wait(EXPLAINED)
    page.choose_file("#file", files["text"])
    page.wait("document.querySelector('#fault').textContent")
    assert page.text("#fault").startswith("The file is none of JPEG, PNG and DICOM;")
    assert page.run("document.querySelector('#answer').hidden")
    assert page.run("document.querySelector('#view').hidden")
    page.choose_file("#file", files["dark"])
    page.wait(EXPLAINED)
    assert not page.text("#fault")
    assert rows(page)[0][2] == "below 0.410"


def test_a_dicom_file_is_shown_as_the_server_sees_it(page, files):
    page.choose_file("#file", files["dicom"])
    page.wait(EXPLAINED)
    page.wait("!document.querySelector('#view').hidden")
    assert page.run("document.getElementById('image').naturalWidth") == 48
    assert len(rows(page)) == 3


def test_a_file_may_be_dropped(page):
    page.run(
        "(async () => {const canvas = new OffscreenCanvas(20, 20);"
        "canvas.getContext('2d').fillRect(0, 0, 20, 20);"
        "const data = new DataTransfer(); const blob = await canvas.convertToBlob();"
        "data.items.add(new File([blob], 'dropped.png', {type: 'image/png'}));"
        "document.body.dispatchEvent(new DragEvent('drop',"
        "{dataTransfer: data, bubbles: true, cancelable: true}))})()"
    )
    page.wait(EXPLAINED)
    assert page.text("#caption") == "20 x 20 pixels"
    # Small images are enlarged, and keep their shape.
    assert page.run(
        "(b => [b.width, b.height])(document.getElementById('image').getBoundingClientRect())"
    ) == [384, 384]


def test_the_last_of_two_images_is_shown(page, files):
    page.choose_file("#file", files["bright"])
    page.choose_file("#file", files["dark"])
    page.wait(EXPLAINED)
    assert rows(page)[0][2] == "below 0.410"


def test_nothing_goes_elsewhere_and_no_name_leaves_the_browser(page, server, files):
    address, bodies = server
    bodies.clear()
    page.choose_file("#file", files["bright"])
    page.wait(EXPLAINED)
    elsewhere = [to for to in page.requested if not re.match(rf"{address}/|(blob|data):", to)]
    assert not elsewhere
    sent = b"".join(bodies)
    assert files["bright"].read_bytes() in sent
    assert NAME.encode() not in sent
    kept = "localStorage.length + sessionStorage.length + document.cookie.length"
    assert page.run(kept) == 0
    assert not page.complaints


def test_the_policy_stops_what_a_stranger_would_add(page):
    page.run(
        "document.body.insertAdjacentHTML('beforeend',"
        '\'<img src="http://127.0.0.1:9/x.png" onerror="window.stranger = 1">\');'
        "const s = document.createElement('script'); s.textContent = 'window.stranger = 2';"
        "document.body.append(s); 0"
    )
    page.wait("new Promise(done => setTimeout(() => done(true), 100))")
    assert page.run("window.stranger") is None
    assert sum("Content Security Policy" in said for said in page.complaints) >= 2


@pytest.mark.parametrize("width", [320, 390, 1400])
def test_it_fits_the_width(page, files, width):
    page.choose_file("#file", files["bright"])
    page.wait(EXPLAINED)
    page.size(width, 800)
    assert page.run("document.documentElement.scrollWidth") <= width
    small = page.run(
        "[...document.querySelectorAll('button, select, input, #drop')].filter(e => "
        "e.offsetParent && e.type != 'radio' && e.getBoundingClientRect().height < 24)"
        ".map(e => e.id)"
    )
    assert not small


def test_the_token_is_asked_for_and_kept_nowhere(tab, files):
    token = "a-token-of-24-characters"
    with serving(MadeUpEngine(), ServingSettings(token=token)) as (address, _):
        tab.go(f"{address}/")
        tab.wait("!document.querySelector('#access').hidden")
        assert tab.run("document.querySelector('#file').disabled")
        assert tab.run("document.activeElement.id") == "token"
        for text, works in (("wrong", False), (token, True)):
            tab.run(
                f"document.querySelector('#token').value = {json.dumps(text)};"
                "document.querySelector('#fault').textContent = '';"
                "document.querySelector('#access button').click()"
            )
            if works:
                tab.wait("!document.querySelector('#file').disabled")
            else:
                tab.wait("document.querySelector('#fault').textContent")
        tab.choose_file("#file", files["bright"])
        tab.wait(EXPLAINED)
        assert tab.run("JSON.stringify(localStorage) + document.cookie + location.href") == (
            "{}" + f"{address}/"
        )


def test_a_model_without_labels_says_so(tab, files):
    facts = ServedFacts(
        "backbone", "savedmodel", "0" * 64, "Trained.", False, preprocess="resize(8)"
    )
    with serving(MadeUpEngine(facts, explains=False)) as (address, _):
        opened(tab, address)
        assert tab.run("document.querySelector('#random').hidden")
        tab.choose_file("#file", files["bright"])
        tab.wait(SCORED)
        assert "no labels" in tab.text("#status")
        assert tab.run("document.querySelector('#answer').hidden")
        assert tab.run("document.querySelector('#heat-controls').hidden")


def test_similar_images_are_those_of_the_server(tab, files):
    angles = 3 * np.array([0.0, 0.5, 1.0])  # of the embeddings of images with these means
    embeddings = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    ids = table(3, ill=[1.0, np.nan, 0.0])
    file = EmbeddingFile(ids, embeddings, record(labels=["ill"]), pathlib.Path("made-up.npz"))
    with serving(MadeUpEngine(), search=NeighbourSearch(file, 2)) as (address, _):
        answer = asked(address, "neighbours", files["bright"])
        assert [near["row"] for near in answer["neighbours"]] == [2, 1]
        assert answer["model"]["weights_sha256"] == FACTS.weights_sha256
        opened(tab, address)
        tab.choose_file("#file", files["bright"])
        tab.wait("!document.querySelector('#near').hidden")
        cells = tab.run(
            "[...document.querySelectorAll('#neighbours tbody tr')]"
            ".map(row => [...row.cells].map(cell => cell.innerText))"
        )
        cosine = f"{np.cos(1.5):.3f}"
        assert cells == [["2", "1.000", "negative"], ["1", cosine, "unknown"]]
        assert "positive in 0 of 1 of these, and in 1 of 2 of the file" in tab.text("#near")
