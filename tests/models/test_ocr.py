"""Text before and after the networks, without any network."""

import numpy as np
import pytest
from PIL import Image

from odla_ipu import errors, ocr

CLASSES = ["", "a", "b", " "]


def steps(*best, sure=0.7):
    """Probabilities [1, T, 4] whose best class is given for each step."""
    result = np.full((1, len(best), len(CLASSES)), (1 - sure) / 3, np.float32)
    for step, name in enumerate(best):
        result[0, step, name] = sure
    return result


@pytest.mark.parametrize(
    ("best", "text"),
    [
        ((0, 1, 1, 0, 1, 2), "aab"),
        ((1, 1, 1), "a"),
        ((1, 3, 2, 0), "a b"),
        ((0, 0), ""),
        ((), ""),
    ],
)
def test_repeats_merge_and_blanks_drop(best, text):
    assert ocr.decode(steps(*best), CLASSES)[0] == text


def test_confidence_is_the_mean_of_the_steps_that_count():
    probabilities = np.concatenate([steps(1, sure=0.9), steps(0, sure=0.4), steps(2, sure=0.5)], 1)
    assert ocr.decode(probabilities, CLASSES) == ("ab", pytest.approx(0.7, abs=1e-6))
    assert ocr.decode(steps(0), CLASSES) == ("", 0.0)


@pytest.mark.parametrize("dims", [(4, 4), (2, 3, 4), (1, 3, 5)])
def test_wrong_probabilities_are_refused(dims):
    with pytest.raises(errors.InvalidParameter):
        ocr.decode(np.zeros(dims, np.float32), CLASSES)


def test_a_line_is_scaled_normalised_and_padded():
    image = Image.new("RGB", (100, 24), (255, 0, 51))
    line = ocr.preprocess(image)
    assert line.shape == (1, 3, 48, 320) and line.dtype == np.float32
    # Blue, green, red; 255 is 1, 0 is -1.
    np.testing.assert_allclose(line[0, :, 0, 0], [-0.6, -1, 1], atol=1e-6)
    assert (line[0, :, :, :200] != 0).all() and (line[0, :, :, 200:] == 0).all()


@pytest.mark.parametrize(
    ("size", "width", "expected"),
    [((480, 48), None, 480), ((481, 48), None, 512), ((1000, 48), 320, 320), ((1, 48), 64, 64)],
)
def test_the_width_of_a_line(size, width, expected):
    assert ocr.preprocess(Image.new("L", size), width).shape == (1, 3, 48, expected)


@pytest.mark.parametrize(
    ("size", "dims"),
    [((320, 320), (320, 320)), ((1920, 960), (480, 960)), ((100, 3), (32, 96)), ((1, 1), (32, 32))],
)
def test_a_page_has_sides_of_whole_multiples(size, dims):
    assert ocr.preprocess_page(Image.new("RGB", size)).shape == (1, 3, *dims)


def test_regions_become_boxes_from_top_to_bottom():
    scores = np.zeros((1, 1, 64, 96), np.float32)
    scores[0, 0, 40:48, 10:50] = 0.9
    scores[0, 0, 8:14, 20:40] = 0.8
    scores[0, 0, 14:18, 40:60] = 0.8  # touches the one above at a corner only
    scores[0, 0, 30:32, 80:90] = 0.9  # too thin
    scores[0, 0, 52:60, 60:90] = 0.4  # too unsure
    upper, lower = ocr.text_boxes(scores, (192, 128))
    # (40 x 10) grows by 400 * 2 / 100 = 8, (40 x 8) by 320 * 2 / 96 = 6.7; then doubled.
    assert upper[:4] == (24, 0, 136, 52)
    assert lower[:4] == (7, 67, 113, 109)
    assert upper.score == pytest.approx(0.8) and lower.score == pytest.approx(0.9)


def test_lines_are_in_the_order_of_reading():
    image = Image.new("L", (200, 100))
    places = [
        (160, 11, 190, 29),
        (10, 10, 50, 30),
        (5, 35, 95, 52),
        (60, 60, 90, 80),
        (10, 62, 42, 78),
    ]
    for index, place in enumerate(places):
        image.putpixel(place[:2], index + 1)
    pieces = ocr.lines(image, [ocr.Box(*place, 1.0) for place in places])
    # Two columns, a line, and two pieces that are less than their height apart.
    assert [piece.getextrema()[1] for piece in pieces] == [2, 1, 3, 5]
    assert [piece.size for piece in pieces] == [(40, 20), (30, 18), (90, 17), (80, 20)]
    assert ocr.lines(image, []) == []


def test_one_width_for_all_lines():
    pieces = [Image.new("RGB", size) for size in ((10, 48), (500, 48), (700, 96))]
    assert ocr.width_of(pieces) == 512 and ocr.width_of(pieces[:1]) == ocr.width_of([]) == 320


def test_a_ring_is_one_region_and_boxes_stay_in_the_image():
    scores = np.zeros((1, 1, 32, 32), np.float32)
    scores[0, 0, 1:31, 1:31] = 1
    scores[0, 0, 8:24, 8:24] = 0
    assert [box[:4] for box in ocr.text_boxes(scores, (32, 32))] == [(0, 0, 32, 32)]
    assert ocr.text_boxes(np.zeros((1, 1, 32, 32), np.float32), (32, 32)) == []


def test_dictionaries_of_files(tmp_path):
    file = tmp_path / "letters.txt"
    file.write_text("a\nb\n", "utf-8")
    assert ocr.characters(file) == CLASSES
    with pytest.raises(errors.FileMissing):
        ocr.characters(tmp_path / "none.onnx")


def test_images_of_files(tmp_path):
    file = tmp_path / "line.png"
    ocr.render("text").save(str(file))
    assert ocr.open_image(file).size == ocr.render("text").size
    with pytest.raises(errors.FileMissing):
        ocr.open_image(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(errors.BadFile):
        ocr.open_image(tmp_path / "text.png")
