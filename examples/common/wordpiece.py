"""BERT's tokens: words split into the longest pieces that a vocabulary has."""

import unicodedata
from typing import Dict, List, Mapping, Sequence, Tuple

import numpy as np

LONGEST_WORD = 100


def tokenize(text: str, vocabulary: Mapping[str, int], lower: bool = True) -> List[int]:
    """Ids of the pieces; what no pieces make up is [UNK]."""
    return [piece for word in words(text, lower) for piece in _pieces(word, vocabulary)]


def words(text: str, lower: bool = True) -> List[str]:
    """Split at spaces, before and after punctuation and Chinese characters.

    With ``lower`` accents go, too.
    """
    if lower:
        text = unicodedata.normalize("NFD", text.lower())
        text = "".join(one for one in text if unicodedata.category(one) != "Mn")
    spaced = []
    for one in text:
        if one.isspace():
            spaced.append(" ")
        elif unicodedata.category(one) in ("Cc", "Cf") or one == "\ufffd":
            continue
        else:
            spaced.append(f" {one} " if _stands_alone(one) else one)
    return "".join(spaced).split()


def pairs(
    first: Sequence[int], second: Sequence[int], length: int, stride: int, marks: Tuple[int, int]
) -> Tuple[Dict[str, np.ndarray], List[int]]:
    """Windows [CLS] first [SEP] part of second [SEP], padded to ``length`` with 0.

    Parts begin ``stride`` tokens apart until one reaches the end.  ``marks`` are the ids of [CLS]
    and [SEP].  Returns the arrays input_ids, input_mask, segment_ids INT32 [windows,length] and
    where each part begins in ``second``.
    """
    cls, sep = marks
    room = length - len(first) - 3
    starts = [0]
    while starts[-1] + room < len(second):
        starts.append(starts[-1] + min(stride, room))
    arrays = {
        name: np.zeros((len(starts), length), np.int32)
        for name in ("input_ids", "input_mask", "segment_ids")
    }
    for row, start in enumerate(starts):
        part = [*second[start : start + room], sep]
        ids = [cls, *first, sep, *part]
        arrays["input_ids"][row, : len(ids)] = ids
        arrays["input_mask"][row, : len(ids)] = 1
        arrays["segment_ids"][row, len(ids) - len(part) : len(ids)] = 1
    return arrays, starts


def _pieces(word: str, vocabulary: Mapping[str, int]) -> List[int]:
    unknown = [vocabulary["[UNK]"]]
    if len(word) > LONGEST_WORD:
        return unknown
    found, start = [], 0
    while start < len(word):
        end = len(word)
        while end > start and ("##" if start else "") + word[start:end] not in vocabulary:
            end -= 1
        if end == start:
            return unknown
        found.append(vocabulary[("##" if start else "") + word[start:end]])
        start = end
    return found


def _stands_alone(one: str) -> bool:
    code = ord(one)
    is_symbol = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    is_chinese = 0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0xF900 <= code <= 0xFAFF
    return (
        is_symbol or is_chinese or 0x20000 <= code <= 0x2CEAF or unicodedata.category(one)[0] == "P"
    )
