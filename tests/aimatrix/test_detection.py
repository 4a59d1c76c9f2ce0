"""SSD, DSSD, CPN, SegLink, Faster and Mask R-CNN: networks in onnxruntime, the rest in numpy."""

import itertools
import math

import numpy as np
import pytest
from aimatrix import detectors
from aimatrix.checks import assert_close, assert_counts, in_double, run, softmax
from odla_ipu.examples import (
    cpn,
    dssd,
    faster_rcnn,
    mask_rcnn,
    seglink,
    ssd_resnet18,
    ssd_resnet34,
    ssd_resnet50,
    ssd_vgg16,
)
from odla_ipu.examples.common import ssd

from odla_ipu import examples
from odla_ipu.errors import InvalidParameter

# SSD.

SSD = {
    "ssd_vgg16": (ssd_vgg16, 8732, 0.01, 400),
    "ssd_resnet18": (ssd_resnet18, 8 * (40**2 + 20**2 + 10**2 + 5**2), 0.01, 400),
    "ssd_resnet34": (ssd_resnet34, 8732, 0.05, 200),
    "ssd_resnet50": (ssd_resnet50, 8732, 0.05, 200),
    "dssd": (dssd, 8 * (40**2 + 20**2 + 10**2 + 5**2 + 3**2 + 1), 0.01, 400),
}


def overlap(box, others):
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=1)
    area = np.prod(box[2:] - box[:2])
    return common / (area + np.prod(others[:, 2:] - others[:, :2], axis=1) - common)


def suppress(boxes, scores, limit, most):
    """Places of boxes by falling score, without those that overlap a better one by more."""
    left = list(np.argsort(-scores, kind="stable"))
    kept = []
    while left and len(kept) < most:
        best = left.pop(0)
        kept.append(int(best))
        if left:
            rivals = overlap(boxes[best], boxes[left])
            left = [one for one, rival in zip(left, rivals) if not rival > limit]
    return kept


def detections(location, confidence, priors, threshold, top):
    """[image, class, confidence, box] of Caffe's DetectionOutput, from its description."""
    rows = []
    size = priors[:, 2:] - priors[:, :2]
    centre = (priors[:, 2:] + priors[:, :2]) / 2
    for image in range(len(location)):
        middle = centre + location[image, :, :2] * 0.1 * size
        half = np.exp(location[image, :, 2:] * 0.2) * size / 2
        boxes = np.hstack([middle - half, middle + half])
        found = []
        for label in range(1, confidence.shape[2]):
            scores = confidence[image, :, label]
            places = np.flatnonzero(scores > threshold)
            places = places[np.argsort(-scores[places], kind="stable")][:top]
            for one in suppress(boxes[places], scores[places], 0.45, len(places)):
                place = places[one]
                found.append([image, label, scores[place], *boxes[place]])
        found.sort(key=lambda row: -row[2])
        rows.append(sorted(found[:200], key=lambda row: (row[1], -row[2])))
    return rows


@pytest.mark.parametrize("name", sorted(SSD))
def test_ssd(name, device):
    check_ssd(name, 4, 2 if name == "ssd_vgg16" else 1, device)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SSD))
def test_ssd_of_full_size(name, device):
    check_ssd(name, 64, 1, device)


def check_ssd(name, width, batch, device):
    module, count, threshold, top = SSD[name]
    size = 321 if name in ("dssd", "ssd_resnet18") else 300
    feeds = {"data": np.random.default_rng(1).standard_normal((batch, 3, size, size), np.float32)}
    got, given = run(lambda weights: module.network(batch, weights, width), feeds, device)
    net = detectors.Detector(given)
    getattr(detectors, name)(net, batch)
    expected = net.run(feeds)
    assert set(net.constants) >= set(given)
    assert got["location"].shape == (batch, count, 4)
    for part in ("location", "confidence"):
        assert_close(got[part], expected[part])

    rows = detections(got["location"], got["confidence"], PRIORS[name](), threshold, top)
    assert got["count"].tolist() == [len(one) for one in rows]
    for image, one in enumerate(rows):
        found = got["objects"][image, : len(one)]
        assert np.abs(found - np.array(one)).max() < 1e-4
        assert (got["objects"][image, len(one) :] == -1).all()
    first = ssd.objects(got)[0][0]
    assert first["class"] == rows[0][0][1] and np.allclose(first["box"], rows[0][0][3:], atol=1e-4)


def caffe_priors(image, levels):
    """Caffe's PriorBox: cells row by row, then sides; ``levels`` of grid, step, start, sizes,
    ratios."""
    rows = []
    for grid, step, start, (low, high), ratios in levels:
        for y, x in itertools.product(range(grid), repeat=2):
            sides = [(low, low), (math.sqrt(low * high),) * 2]
            for ratio in ratios:
                sides.append((low * math.sqrt(ratio), low / math.sqrt(ratio)))
                sides.append((low / math.sqrt(ratio), low * math.sqrt(ratio)))
            for w, h in sides:
                cx, cy = start + x * step, start + y * step
                rows.append([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
    return np.array(rows) / image


def vgg16_priors():
    sizes = [(30, 60), (60, 111), (111, 162), (162, 213), (213, 264), (264, 315)]
    steps, two, three = (8, 16, 32, 64, 100, 300), [2], [2, 3]
    ratios = [two, three, three, three, two, two]
    grids = (38, 19, 10, 5, 3, 1)
    return caffe_priors(300, zip(grids, steps, [one / 2 for one in steps], sizes, ratios))


def resnet18_priors():
    hundredths = [(10, 20), (20, 57), (57, 94), (94, 131)]
    sizes = [(3.21 * low, 3.21 * high) for low, high in hundredths]
    starts = (2.5, 2.5, 10.5, 26.5)
    return caffe_priors(
        321, zip((40, 20, 10, 5), (8, 16, 32, 64), starts, sizes, [(1.6, 2, 3)] * 4)
    )


def dssd_priors():
    hundredths = [(10, 20), (20, 38), (38, 56), (56, 74), (74, 92), (92, 110)]
    sizes = [(3.21 * low, 3.21 * high) for low, high in hundredths]
    starts = (2.5, 2.5, 10.5, 26.5, 90.5, 160.5)
    grids, steps = (40, 20, 10, 5, 3, 1), (8, 16, 32, 64, 64, 321)
    return caffe_priors(321, zip(grids, steps, starts, sizes, [(1.6, 2, 3)] * 6))


def pytorch_priors():
    """Side by side, then cells; in parts of the image, which they do not leave."""
    scales = (21, 45, 99, 153, 207, 261, 315)
    rows = []
    for place, (grid, step) in enumerate(zip((38, 19, 10, 5, 3, 1), (8, 16, 32, 64, 100, 300))):
        low, high = scales[place] / 300, scales[place + 1] / 300
        sides = [(low, low), (math.sqrt(low * high),) * 2]
        for ratio in ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))[place]:
            w, h = low * math.sqrt(ratio), low / math.sqrt(ratio)
            sides += [(w, h), (h, w)]
        for w, h in sides:
            for y, x in itertools.product(range(grid), repeat=2):
                cx, cy = (x + 0.5) * step / 300, (y + 0.5) * step / 300
                rows.append([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
    return np.clip(rows, 0, 1)


PRIORS = {
    "ssd_vgg16": vgg16_priors,
    "ssd_resnet18": resnet18_priors,
    "ssd_resnet34": pytorch_priors,
    "ssd_resnet50": pytorch_priors,
    "dssd": dssd_priors,
}


# Counts.


def counted(name, batch, **dims):
    """Trained numbers of all, and multiplications of the part that is an ONNX model."""
    weights = examples.Weights(seed=None)
    examples.find(name).build(batch, weights)
    net = detectors.Detector(weights.given, is_empty=True)
    getattr(detectors, name)(net, batch, **dims)
    statistics = (".mean", ".var")
    parameters = sum(
        array.size for key, array in weights.given.items() if not key.endswith(statistics)
    )
    return parameters, net.macs(), set(weights.given) - {one.name for one in net.inputs}


@pytest.mark.parametrize("name", [*sorted(SSD), "cpn", "seglink"])
def test_counts(name):
    parameters, macs, rest = counted(name, 1)
    assert rest == set()
    assert_counts(name, parameters, macs)


def test_published_counts():
    """Of SSD300 with VGG16, Faster R-CNN with VGG16 and Matterport's Mask R-CNN."""
    found = [examples.find(one).parameters for one in ("ssd_vgg16", "faster_rcnn", "mask_rcnn")]
    assert found == [26_285_486, 137_078_239, 64_047_096]


def test_faster_rcnn_counts():
    parameters, macs, rest = counted("faster_rcnn", 1)
    layers = ("fc6", "fc7", "cls_score", "bbox_pred")
    assert rest == {f"{one}.{part}" for one in layers for part in ("weight", "bias")}
    head = 49 * 512 * 4096 + 4096 * 4096 + 4096 * (21 + 84)
    assert_counts("faster_rcnn", parameters, macs + 300 * head)


def test_mask_rcnn_counts():
    parameters, macs, _ = counted("mask_rcnn", 1)
    head = 49 * 256 * 1024 + 1024 * 1024 + 1024 * (81 + 324)
    mask = 196 * 4 * 9 * 256 * 256 + 196 * 4 * 256 * 256 + 784 * 256 * 81
    assert_counts("mask_rcnn", parameters, macs + 1000 * head + 100 * mask)


# CPN.


def check_cpn(config, batch, device):
    feeds = cpn.images(batch, np.random.default_rng(1), config)
    got, given = run(lambda weights: cpn.network(batch, weights, config), feeds, device)
    net = detectors.Detector(given)
    detectors.cpn(net, batch, config.height, config.width_of_image, config.blocks)
    assert_close(got["heatmaps"], net.run(feeds)["heatmaps"])
    dims = (config.height // 4, config.width_of_image // 4, 17)
    assert got["heatmaps"].shape == (batch, *dims)


def test_cpn(device):
    check_cpn(cpn.Config(96, 64, (1, 2, 2, 1), 4), 2, device)


@pytest.mark.slow
def test_cpn_of_full_size(device):
    check_cpn(cpn.Config(), 2, device)


def test_joints_are_where_the_heat_is():
    """Bells around known places, in the mirror image at the mirrored place of the other side."""
    rng = np.random.default_rng(3)
    height, width = 48, 36
    places = rng.integers(12, 24, (2, 17, 2))
    y, x = np.mgrid[:height, :width]
    people, mirrored = np.zeros((2, 2, height, width, 17), np.float32)
    for person, joint in np.ndindex(2, 17):
        px, py = places[person, joint]
        bell = np.exp(-((x - px) ** 2 + (y - py) ** 2) / 18)
        people[person, :, :, joint] = bell
        mirrored[person, :, ::-1, :][:, :, cpn.MIRRORED[joint]] = bell
    found = cpn.keypoints(np.concatenate([people, mirrored]))
    assert found.shape == (2, 17, 3)
    # A quarter of a pixel towards the second highest, which is a neighbour.
    assert np.abs(found[..., :2] - places).max() <= 0.25 + 1e-6
    assert np.allclose(found[..., 2], 1)


def test_an_image_and_its_mirror_image():
    image = np.random.default_rng(0).integers(0, 256, (384, 288, 3)).astype(np.uint8)
    both = cpn.prepared(image)
    assert both.shape == (2, 384, 288, 3) and (both[0] == both[1, :, ::-1]).all()
    expected = (image[5, 7].astype(float) - [102.98, 115.95, 122.77]) / 255
    assert np.allclose(both[0, 5, 7], expected, atol=1e-6)


# SegLink.


def check_seglink(config, batch, device):
    feeds = seglink.images(batch, np.random.default_rng(1), config)
    got, given = run(lambda weights: seglink.network(batch, weights, config), feeds, device)
    net = detectors.Detector(given)
    detectors.seglink(net, batch, config.height, config.width_of_image)
    expected = net.run(feeds)
    assert set(got) == set(expected) and len(got) == 6 * 3 + 5
    for name, array in expected.items():
        assert_close(got[name], array)


def test_seglink(device):
    check_seglink(seglink.Config(160, 192, 4), 1, device)


@pytest.mark.slow
def test_seglink_of_full_size(device):
    check_seglink(seglink.Config(), 1, device)


def nothing_found(height, width):
    """Outputs of one image without segments, links or offsets."""
    outputs = {}
    for level in range(6):
        h, w = math.ceil(height / 8 / 2**level), math.ceil(width / 8 / 2**level)
        for name, dims in (("segments", ()), ("links", (8,)), ("cross", (4,))):
            outputs[f"{name}{level}"] = np.tile(np.float32([1, 0]), (1, h, w, *dims, 1))
        outputs[f"offsets{level}"] = np.zeros((1, h, w, 6), np.float32)
        outputs[f"offsets{level}"][..., 5] = 1  # cos of an angle of 0
    return outputs


def test_linked_segments_make_a_line():
    outputs = nothing_found(128, 128)
    for x in (2, 3, 4, 9):
        outputs["segments0"][0, 5, x] = 0.05, 0.95
    outputs["links0"][0, 5, 2, 4] = 0.1, 0.9  # to the right
    outputs["links0"][0, 5, 4, 3] = 0.1, 0.9  # to the left
    outputs["links0"][0, 5, 9, 4] = 0.1, 0.9  # to nothing
    outputs["links0"][0, 5, 4, 4] = 0.4, 0.6  # not likely enough
    (lines,) = seglink.boxes(outputs, 128, 128)
    side = seglink.ANCHORS[0]
    long, short = sorted(lines, key=lambda line: -line["width"])
    assert long == pytest.approx(
        {"x": 28, "y": 44, "width": 16 + side, "height": side, "angle": 0}, rel=1e-5
    )
    assert short == pytest.approx(
        {"x": 76, "y": 44, "width": side, "height": side, "angle": 0}, rel=1e-5
    )


def test_levels_are_linked_to_the_finer_one():
    outputs = nothing_found(128, 128)
    outputs["segments1"][0, 2, 3] = 0, 1
    outputs["segments0"][0, 5, 6] = 0, 1
    assert len(seglink.boxes(outputs, 128, 128)[0]) == 2
    outputs["cross1"][0, 2, 3, 2] = 0, 1  # the lower left of the four cells below
    assert len(seglink.boxes(outputs, 128, 128)[0]) == 1


def test_a_line_that_rises():
    """Segments on a slope of 30 degrees, moved by their offsets to lie on it exactly."""
    angle = math.radians(30)
    centres = np.array([[20, 30]]) + np.arange(4)[:, None] * 8 * [math.cos(angle), math.sin(angle)]
    segments = np.hstack([centres, np.tile([10, 12, angle], (4, 1))])
    found = seglink.combined(segments[[2, 0, 3, 1]])
    assert found["width"] == pytest.approx(24 + 10) and found["height"] == pytest.approx(12)
    assert (found["x"], found["y"]) == pytest.approx(tuple(centres.mean(0)))
    assert found["angle"] == pytest.approx(angle)


# Faster R-CNN.

FASTER = faster_rcnn.Config(150, 200, 4, 32, 200, 25)


def published_anchors():
    """The nine boxes that the original's code prints for base 16."""
    return np.array(
        [
            [-84, -40, 99, 55], [-176, -88, 191, 103], [-360, -184, 375, 199],
            [-56, -56, 71, 71], [-120, -120, 135, 135], [-248, -248, 263, 263],
            [-36, -80, 51, 95], [-80, -168, 95, 183], [-168, -344, 183, 359],
        ]
    )  # fmt: skip


def test_anchors_are_those_of_the_original():
    found = faster_rcnn.anchors(2, 3).reshape(2, 3, 9, 4)
    assert (found[0, 0] == published_anchors()).all()
    assert (found[1, 2] == published_anchors() + [32, 16, 32, 16]).all()


def faster_boxes(boxes, deltas, high, wide):
    """Moved by [n,4]; corners are pixels, and sides one more than their difference."""
    size = boxes[:, 2:] - boxes[:, :2] + 1
    centre = boxes[:, :2] + size / 2 + deltas[:, :2] * size
    half = np.exp(deltas[:, 2:]) * size / 2
    ends = np.array([wide, high, wide, high]) - 1
    return np.clip(np.hstack([centre - half, centre + half]), 0, ends)


def roi_pool(image, rois):
    """7 x 7 maxima of each box, at a sixteenth of its size."""
    channels, height, width = image.shape
    result = np.zeros((len(rois), channels, 7, 7))
    for place, roi in enumerate(rois):
        x1, y1, x2, y2 = np.floor(roi / 16 + 0.5).astype(int)
        w, h = max(x2 - x1 + 1, 1), max(y2 - y1 + 1, 1)
        for row, column in np.ndindex(7, 7):
            top, bottom = y1 + row * h // 7, y1 + -(-(row + 1) * h // 7)
            left, right = x1 + column * w // 7, x1 + -(-(column + 1) * w // 7)
            part = image[:, max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
            if part.size:
                result[place, :, row, column] = part.max((1, 2))
    return result


@pytest.mark.parametrize("info", [(150, 200, 1.0), (120, 131, 2.5)])
def test_faster_rcnn(device, info):
    feeds = faster_rcnn.images(1, np.random.default_rng(1), FASTER)
    feeds["im_info"] = np.array([info], np.float32)
    got, given = run(lambda weights: faster_rcnn.network(1, weights, FASTER), feeds, device)
    net = detectors.Detector(given)
    detectors.faster_rcnn(net, 1, 150, 200)
    maps = net.run({"data": feeds["data"]})

    _, _, height, width = maps["conv5"].shape
    pairs = maps["scores"].reshape(2, 9, height, width)
    scores = softmax(pairs, axis=0)[1].transpose(1, 2, 0).reshape(-1)
    deltas = maps["deltas"].reshape(9, 4, height, width).transpose(2, 3, 0, 1).reshape(-1, 4)
    shifts = [[x, y, x, y] for y in range(height) for x in range(width)]
    anchors = np.array(shifts)[:, None] * 16 + published_anchors()
    boxes = faster_boxes(anchors.reshape(-1, 4), deltas, info[0], info[1])
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    kept = np.flatnonzero((sides >= 16 * info[2]).all(1))
    kept = kept[np.argsort(-scores[kept], kind="stable")][:200]
    chosen = kept[suppress(boxes[kept] + [0, 0, 1, 1], scores[kept], 0.7, 25)]
    used = len(chosen)
    assert 2 < used <= 25
    assert_close(got["proposals"][:used], boxes[chosen])

    w = in_double(given)
    x = roi_pool(maps["conv5"][0].astype(float), got["proposals"].astype(float)).reshape(25, -1)
    for layer in ("fc6", "fc7"):
        x = np.maximum(x @ w[f"{layer}.weight"] + w[f"{layer}.bias"], 0)
    chances = softmax(x @ w["cls_score.weight"] + w["cls_score.bias"])
    chances[used:] = 0
    assert_close(got["scores"], chances)
    moves = x @ w["bbox_pred.weight"] + w["bbox_pred.bias"]
    expected = [
        faster_boxes(got["proposals"].astype(float), moves[:, 4 * one : 4 * one + 4], *info[:2])
        for one in range(21)
    ]
    assert_close(got["boxes"], np.hstack(expected))

    rows = []
    for label in range(1, 21):
        score = got["scores"][:, label]
        places = np.flatnonzero(score > 0.05)
        ends = got["boxes"][places, 4 * label : 4 * label + 4] + [0, 0, 1, 1]
        for one in suppress(ends, score[places], 0.3, 25):
            rows.append([label - 1, 0, places[one]])
    assert got["selected"].tolist() == rows and rows
    found = faster_rcnn.objects(got)
    ranks = [one["confidence"] for one in found]
    assert len(found) == len(rows) and ranks == sorted(ranks, reverse=True)
    label, _, place = max(rows, key=lambda row: got["scores"][row[2], row[0] + 1])
    assert found[0]["class"] == label + 1
    assert found[0]["box"] == got["boxes"][place, 4 * label + 4 : 4 * label + 8].tolist()


def test_images_are_scaled_into_the_frame():
    image = np.full((50, 100, 3), [10, 20, 30], np.uint8)
    found = faster_rcnn.prepared(image)
    assert found["im_info"].tolist() == [[500, 1000, 10]]
    assert np.allclose(found["data"][0, :, 250, 500], [30 - 102.98, 20 - 115.95, 10 - 122.77])
    assert (found["data"][0, :, 500:] == 0).all()
    upright = faster_rcnn.prepared(image.transpose(1, 0, 2))
    assert upright["im_info"].tolist() == [[600, 300, 6]]


@pytest.mark.parametrize("name", ["faster_rcnn", "mask_rcnn"])
def test_more_than_one_image_is_refused(name):
    with pytest.raises(InvalidParameter, match="accepted: 1, as in the original"):
        examples.find(name).build(2, examples.Weights(seed=None))


# Mask R-CNN.

MASK = mask_rcnn.Config(128, (1, 1, 2, 1), 4, 16, 300, 40, 10)


def mask_anchors(size):
    rows = []
    for stride, side in ((4, 32), (8, 64), (16, 128), (32, 256), (64, 512)):
        grid = -(-size // stride)
        for y, x, ratio in itertools.product(range(grid), range(grid), (0.5, 1, 2)):
            h, w = side / math.sqrt(ratio), side * math.sqrt(ratio)
            rows.append(
                [y * stride - h / 2, x * stride - w / 2, y * stride + h / 2, x * stride + w / 2]
            )
    return (np.array(rows) - [0, 0, 1, 1]) / (size - 1)


def mask_boxes(boxes, deltas):
    deltas = deltas * [0.1, 0.1, 0.2, 0.2]
    size = boxes[:, 2:] - boxes[:, :2]
    centre = boxes[:, :2] + size / 2 + deltas[:, :2] * size
    half = np.exp(deltas[:, 2:]) * size / 2
    return np.clip(np.hstack([centre - half, centre + half]), 0, 1)


def crop(levels, boxes, size, image):
    """TensorFlow's crop_and_resize, box by box, from the level that Mask R-CNN takes it from."""
    result = np.zeros((len(boxes), levels[0].shape[0], size, size))
    for place, (y1, x1, y2, x2) in enumerate(boxes):
        area = (y2 - y1) * (x2 - x1)
        level = 4 + math.log2(math.sqrt(area) / (224 / image)) if area > 0 else 2
        array = levels[min(max(round(level), 2), 5) - 2]
        last = array.shape[1] - 1
        for row, column in np.ndindex(size, size):
            y = (y1 + (y2 - y1) * row / (size - 1)) * last
            x = (x1 + (x2 - x1) * column / (size - 1)) * last
            top, left = int(y), int(x)
            bottom, right = min(top + 1, last), min(left + 1, last)
            upper = array[:, top, left] * (1 - x + left) + array[:, top, right] * (x - left)
            lower = array[:, bottom, left] * (1 - x + left) + array[:, bottom, right] * (x - left)
            result[place, :, row, column] = upper * (1 - y + top) + lower * (y - top)
    return result


def test_mask_rcnn(device):
    config = MASK
    feeds = mask_rcnn.images(1, np.random.default_rng(1), config)

    def change(name, array):
        if name == "mrcnn_class_logits.weight":
            array[:, 0] *= 6  # background now and then

    got, given = run(
        lambda weights: mask_rcnn.network(1, weights, config), feeds, device, change=change
    )
    net = detectors.Detector(given)
    detectors.mask_rcnn(net, 1, config.size, config.blocks)
    maps = net.run(feeds)
    levels = [maps[f"p{place}"][0].astype(float) for place in range(4)]

    scores = softmax(maps["logits"])[:, 1]
    order = np.argsort(-scores, kind="stable")[:300]
    boxes = mask_boxes(mask_anchors(128)[order], maps["deltas"][order])
    chosen = suppress(boxes, scores[order], 0.7, 40)
    rois = np.zeros((40, 4))
    rois[: len(chosen)] = boxes[chosen]
    assert_close(got["proposals"], rois)

    w = in_double(given)
    rois = got["proposals"].astype(float)
    x = crop(levels, rois, 7, 128).reshape(40, -1)
    for place in (1, 2):
        name = f"mrcnn_class_conv{place}"
        x = x @ w[f"{name}.weight"].reshape(16, -1).T + w[f"{name}.bias"]
        scale = w[f"{name}.bn.scale"] / np.sqrt(w[f"{name}.bn.var"] + 1e-3)
        x = np.maximum((x - w[f"{name}.bn.mean"]) * scale + w[f"{name}.bn.offset"], 0)
    chances = softmax(x @ w["mrcnn_class_logits.weight"] + w["mrcnn_class_logits.bias"])
    chances[len(chosen) :] = 0
    assert_close(got["scores"], chances)
    assert_close(got["deltas"], x @ w["mrcnn_bbox_fc.weight"] + w["mrcnn_bbox_fc.bias"])

    labels = got["scores"].argmax(1)
    best = np.argsort(-got["scores"].max(1))[:10]
    assert 0 in labels[best]  # which is no object, however sure
    moves = got["deltas"].reshape(40, 81, 4)[np.arange(40), labels]
    boxes = mask_boxes(rois, moves)
    rows = []
    for label in range(1, 81):
        places = np.flatnonzero((labels == label) & (got["scores"].max(1) > 0))
        score = got["scores"][places, label]
        rows += [
            (score[one], label, places[one]) for one in suppress(boxes[places], score, 0.3, 10)
        ]
    rows.sort(key=lambda row: -row[0])
    rows = rows[:10]
    count = len(rows)
    assert count > 2
    assert (got["confidence"][count:] == 0).all() and (got["boxes"][count:] == 0).all()
    assert np.allclose(got["confidence"][:count], [row[0] for row in rows])
    assert got["classes"][:count].tolist() == [row[1] for row in rows]
    assert_close(got["boxes"][:count], boxes[[row[2] for row in rows]])

    head = detectors.Detector(given)
    detectors.mask_head(head, 10, 16)
    crops = crop(levels, got["boxes"].astype(float), 14, 128).astype(np.float32)
    masks = head.run({"crops": crops})["masks"][np.arange(10), got["classes"]]
    assert_close(got["masks"], masks)
    found = mask_rcnn.objects(got)
    assert [one["class"] for one in found] == [row[1] for row in rows]


def test_an_outline_lies_in_its_box():
    mask = np.zeros((28, 28), np.float32)
    mask[:, :14] = 1
    found = mask_rcnn.outline(mask, (0.25, 0.5, 0.75, 1), 101, 201)
    assert found.shape == (101, 201)
    rows, columns = np.nonzero(found)
    assert (rows.min(), rows.max()) == (25, 75)
    assert columns.min() == 100 and abs(columns.max() - 150) <= 1
