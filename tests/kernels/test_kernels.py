"""Each kernel against numpy or onnxruntime; the number of tiles must not matter."""

import numpy as np
import pytest
from cases import CASES

NAMES = sorted({case.folder for case in CASES})


def _check(case, results):
    expected = case.expected()
    assert len(results) == len(expected)
    for index, (result, wanted) in enumerate(zip(results, expected)):
        assert result.shape == np.shape(wanted)
        relative, absolute = case.tolerance
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(
                result.astype(np.float64),
                np.asarray(wanted).astype(np.float64),
                rtol=relative,
                atol=absolute,
                err_msg=f"{case.label}: output {index}",
            )


@pytest.mark.parametrize("folder", NAMES)
def test_results(kernel, folder):
    for case in CASES:
        if case.folder == folder:
            arguments = (folder, case.name, case.inputs, case.attributes)
            results = kernel(*arguments)
            _check(case, results)
            for tiles in (1, 4, 1216):
                for one, other in zip(results, kernel(*arguments, tiles=tiles)):
                    assert one.tobytes() == other.tobytes(), f"{case.label} on {tiles} tiles"


@pytest.mark.parametrize("folder", NAMES)
def test_every_check_passes(kernel, folder):
    """No access out of bounds, no race, no unwritten output; and the same numbers."""
    for case in CASES:
        if case.folder == folder:
            for tiles in (4, 1472):
                results = kernel(
                    folder, case.name, case.inputs, case.attributes, tiles=tiles, debug=True
                )
                _check(case, results)
