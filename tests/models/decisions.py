"""Inputs whose right answer is known, and what a network's results say about them.

Everything here is numpy and Pillow, made from formulas and Pillow's own font: no data files.  A
``decide_*`` function takes the network's outputs in order and returns plain Python values, so that
two devices can be compared by what they decide.
"""

import ast

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from odla_ipu import ocr, pretrained

# ---- Lines of text: ppocr_rec ------------------------------------------------------------------

LINE = "Graphcore C600"

LINES = (
    LINE,
    "Hello, World!",
    "IPU Model 2026",
    "The quick brown fox",
    "3.14159265",
    "50% of $1,234.56",
    "user@example.com",
    "Mixed-CASE/Path",
    "To be, or not to be?",
    "simulated",
)


def line_inputs(text=LINE):
    return {"x": ocr.preprocess(ocr.render(text), width=320)}


def decide_line(outputs):
    return ocr.decode(outputs[0], ocr.characters(pretrained.path("ppocr_rec")))[0]


# ---- A page: ppocr_det -------------------------------------------------------------------------

_PAGE_SIZE = (320, 320)
_PAGE_LINES = (("Hello, World!", (20, 30)), ("IPU Model", (90, 140)), ("2026", (200, 250)))


def page():
    """The image, and (left, top, right, bottom) of each line on it."""
    image = Image.new("RGB", _PAGE_SIZE, "white")
    placed = []
    for text, corner in _PAGE_LINES:
        line = ocr.render(text, size=32)
        image.paste(line, corner)
        placed.append((*corner, corner[0] + line.width, corner[1] + line.height))
    return image, placed


def page_inputs():
    return {"x": ocr.preprocess_page(page()[0])}


def decide_page(outputs):
    """How many boxes there are, and which of the painted lines one of them covers."""
    boxes = [box[:4] for box in ocr.text_boxes(outputs[0], _PAGE_SIZE)]
    return len(boxes), _covered(page()[1], boxes, least=0.5)


def _covered(wanted, found, least):
    """Indices of the wanted boxes that a found one matches: intersection over union."""
    return [
        index
        for index, box in enumerate(wanted)
        if any(_overlap(box, other) >= least for other in found)
    ]


def _overlap(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(0, width) * max(0, height)
    return common / (_area(a) + _area(b) - common)


def _area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


# ---- Upright or upside down: ppocr_cls ---------------------------------------------------------


def angle_inputs():
    """A line and the same line turned by 180 degrees: [2, 3, 48, 192]."""
    image = ocr.render("Hello, World!")
    turned = image.transpose(Image.Transpose.ROTATE_180)
    return {"x": np.concatenate([ocr.preprocess(line, width=192) for line in (image, turned)])}


def decide_angle(outputs):
    """0 or 180 for each image."""
    return [180 * int(best) for best in outputs[0].argmax(axis=1)]


# ---- Short codes: ddddocr_common ---------------------------------------------------------------

CODE = "x7kp"


def code_inputs():
    """Grey [1, 1, 64, 160], 0 to 1."""
    image = ocr.render(CODE, size=48).convert("L").resize((160, 64), Image.Resampling.BILINEAR)
    return {"input1": (np.asarray(image, np.float32) / 255)[np.newaxis, np.newaxis]}


def decide_code(outputs):
    """The output is [T, 1, classes]."""
    return ocr.decode(outputs[0].transpose(1, 0, 2), code_classes())[0]


def code_classes():
    """The network's dictionary: the second list of the wheel's module, read without running it."""
    module = ast.parse(pretrained.path("ddddocr_charset").read_text("utf-8"))
    lists = {node.targets[0].id: node.value for node in module.body if isinstance(node, ast.Assign)}
    return ast.literal_eval(lists["CHARSET_BETA"])


# ---- Objects in an image: ddddocr_det ----------------------------------------------------------

_SIDE = 416
_STRIDES = (8, 16, 32)
_OBJECTS = (("A", (60, 70)), ("8", (250, 110)), ("K", (140, 270)))
_OBJECT_SIZE = 48


def objects():
    """An image with three characters on a gradient, and the box of each."""
    column = np.linspace(120, 220, _SIDE).astype(np.uint8)
    pixels = np.stack([np.tile(column, (_SIDE, 1))] * 3, axis=2)
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(_OBJECT_SIZE)
    placed = []
    for (text, corner), colour in zip(_OBJECTS, ("darkred", "darkblue", "darkgreen")):
        draw.text(corner, text, fill=colour, font=font)
        placed.append(draw.textbbox(corner, text, font=font))
    return image, placed


def object_inputs():
    """BGR [1, 3, 416, 416], 0 to 255."""
    pixels = np.asarray(objects()[0], np.float32)[:, :, ::-1]
    return {"images": np.ascontiguousarray(pixels.transpose(2, 0, 1))[np.newaxis]}


def decide_objects(outputs):
    """How many objects there are, and which of the painted ones are among them."""
    found = object_boxes(outputs[0])
    return len(found), _covered(objects()[1], found, least=0.4)


def object_boxes(predictions, least_score=0.3, most_overlap=0.45):
    """Boxes of YOLOX's [1, 3549, 6]: offsets in cells of 8, 16, 32 pixels, log sizes, scores.

    Decoding: arXiv:2107.08430, section 2.1; then non-maximum suppression.
    """
    cells, strides = [], []
    for stride in _STRIDES:
        count = _SIDE // stride
        y, x = np.divmod(np.arange(count * count), count)
        cells.append(np.stack([x, y], axis=1))
        strides.append(np.full((count * count, 1), stride))
    scale = np.concatenate(strides)
    centres = (predictions[0, :, :2] + np.concatenate(cells)) * scale
    sizes = np.exp(predictions[0, :, 2:4]) * scale
    scores = predictions[0, :, 4] * predictions[0, :, 5]
    corners = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
    kept = []
    for index in np.argsort(-scores):
        if scores[index] < least_score:
            break
        if all(_overlap(corners[index], other) <= most_overlap for other in kept):
            kept.append(corners[index])
    return kept


# ---- Images: open_nsfw -------------------------------------------------------------------------


def landscape_inputs():
    """A sunset over water, BGR [1, 224, 224, 3] less the training mean."""
    y, x = np.mgrid[0:224, 0:224].astype(np.float32) / 223
    sun = np.exp(-((x - 0.5) ** 2 + (y - 0.4) ** 2) * 60)
    waves = np.where(y > 0.55, 0.15 * np.sin(90 * y + 4 * np.sin(6 * x)), 0)
    red = 0.9 - 0.5 * y + 0.6 * sun + waves
    green = 0.5 - 0.3 * y + 0.6 * sun + waves
    blue = 0.4 + 0.2 * y + 0.2 * sun + waves
    pixels = 255 * np.clip(np.stack([blue, green, red], axis=2), 0, 1)
    return {"input_0": (pixels - np.float32([104, 117, 123]))[np.newaxis].astype(np.float32)}


def decide_class(outputs):
    """The best class of each row."""
    scores = outputs[0].reshape(outputs[0].shape[0], -1)
    return [int(best) for best in scores.argmax(axis=1)]


# ---- Sound: silero -----------------------------------------------------------------------------

SAMPLE_RATE = 16000
_BLOCK, _CONTEXT = 512, 64
_STATE = (1, 1, 128)

# Formants in Hz of a, i, o, u, e, averages of adults (Peterson and Barney 1952), and bandwidths.
_FORMANTS = np.array(
    [
        [730, 1090, 2440, 3400],
        [270, 2290, 3010, 3600],
        [570, 840, 2410, 3300],
        [300, 870, 2240, 3300],
        [530, 1840, 2480, 3500],
    ],
    np.float64,
)
_BANDWIDTHS = (90.0, 110.0, 170.0, 250.0)
_VOWELS = (0, 1, 2, 4, 3, 0, 2, 1)


def speech(seconds, pitch=110.0, syllables=4.0):
    """A voice that goes through vowels: harmonics of ``pitch`` Hz shaped by moving formants."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    frequency = pitch * (1 + 0.15 * np.sin(4.4 * time) + 0.02 * np.sin(33 * time))
    phase = 2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE
    position = time * syllables
    number = position.astype(int)
    blend = np.clip((position - number) * 2 - 0.5, 0, 1)[:, np.newaxis]
    vowels = np.array(_VOWELS)
    now = _FORMANTS[vowels[number % len(vowels)]]
    following = _FORMANTS[vowels[(number + 1) % len(vowels)]]
    formants = now * (1 - blend) + following * blend
    voice = np.zeros_like(time)
    for harmonic in range(1, int(4500 / pitch)):
        at = harmonic * frequency
        gain = np.full_like(time, 1 / harmonic)
        for column, width in enumerate(_BANDWIDTHS):
            centre = formants[:, column]
            gain *= centre**2 / np.hypot(at**2 - centre**2, width * at)
        voice += gain * np.sin(harmonic * phase)
    voice *= 1 - np.cos(np.pi * position) ** 4
    return 0.5 * voice / np.abs(voice).max()


def recording():
    """Half a second each of faint noise, speech and faint noise: float32."""
    noise = np.random.default_rng(0).standard_normal(3 * SAMPLE_RATE // 2) * 0.002
    third = SAMPLE_RATE // 2
    noise[third : 2 * third] += speech(0.5)
    return noise.astype(np.float32)


def sound_blocks(samples):
    """float32 [T, 576]: blocks of 512 samples, each after the last 64 of the one before."""
    blocks = samples[: samples.size // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    before = np.concatenate([np.zeros((1, _CONTEXT), np.float32), blocks[:-1, -_CONTEXT:]])
    return np.concatenate([before, blocks], axis=1)


def recording_inputs():
    state = np.zeros(_STATE, np.float32)
    return {"input": sound_blocks(recording()), "h": state, "c": state.copy()}


def decide_speech(outputs):
    """Whether there is speech in each third of the recording."""
    thirds = np.array_split(outputs[0], 3)
    return [bool(np.median(part) > 0.5) for part in thirds]


def sound_step_inputs():
    """One block in the middle of speech; the state is what ten blocks before it leave."""
    return {"input": sound_blocks(speech(0.5).astype(np.float32))[10:11], "state": _state()}


def _state():
    """The LSTM's state after ten blocks of speech, by the sequence form of the same network."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(pretrained.path("silero_sequence")))
    zeros = np.zeros(_STATE, np.float32)
    blocks = sound_blocks(speech(0.5).astype(np.float32))[:10]
    _, hidden, cell = session.run(None, {"input": blocks, "h": zeros, "c": zeros})
    return np.concatenate([hidden, cell])


def decide_step(outputs):
    return bool(outputs[0][0, 0] > 0.5)


# ---- Chinese words: lac_encoder ----------------------------------------------------------------

SENTENCE = "我爱北京天安门"
TAGGED = [("我", "r"), ("爱", "v"), ("北京", "LOC"), ("天安门", "LOC")]


def sentence_inputs(sentence=SENTENCE):
    numbers = {word: int(number) for number, word in _pairs("lac_words")}
    half_width = dict(_pairs("lac_half_width"))
    ids = [numbers.get(half_width.get(sign, sign), numbers["OOV"]) for sign in sentence]
    return {"token_ids": np.array([ids], np.int64), "length": np.array([len(ids)], np.int64)}


def decide_words(outputs, sentence=SENTENCE):
    """(word, tag) in order: the best path through scores [1, T, 59] and the tag transitions."""
    transitions = np.load(str(pretrained.path("lac_transitions")))
    tags = {int(number): tag for number, tag in _pairs("lac_tags")}
    words = []
    for sign, number in zip(sentence, _best_path(outputs[0][0], transitions)):
        tag = tags[number]
        if tag.endswith("-I") and words:
            words[-1] = (words[-1][0] + sign, words[-1][1])
        else:
            words.append((sign, tag.split("-")[0]))
    return words


def _best_path(scores, transitions):
    """Viterbi's algorithm."""
    total = scores[0]
    origins = []
    for step in scores[1:]:
        candidates = total[:, np.newaxis] + transitions
        origins.append(candidates.argmax(axis=0))
        total = candidates.max(axis=0) + step
    path = [int(total.argmax())]
    for origin in reversed(origins):
        path.append(int(origin[path[-1]]))
    return path[::-1]


def _pairs(name):
    lines = pretrained.path(name).read_text("utf-8").split("\n")
    return [line.split("\t", 1) for line in lines if "\t" in line]


# ---- Sentences: minilm -------------------------------------------------------------------------

SENTENCES = (
    "A man is eating food.",
    "A woman plays the violin.",
    "A man is eating a meal.",
    "Someone is playing a string instrument.",
)
NEAREST = [2, 3, 0, 1]
_TOKENS = 16


def similar_inputs():
    from models import minilm

    return minilm.tokenize(SENTENCES, _TOKENS)


def decide_nearest(outputs):
    """For each sentence, the most similar of the others, by the embedding output."""
    return _nearest(outputs[1])


def decide_nearest_pooled(outputs):
    """The same from hidden states alone, averaged over the mask."""
    mask = similar_inputs()["attention_mask"][:, :, np.newaxis]
    return _nearest((outputs[0] * mask).sum(axis=1) / mask.sum(axis=1))


def _nearest(embeddings):
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -1)
    return [int(best) for best in cosines.argmax(axis=1)]
