"""Importing the package is light."""

import subprocess
import sys


def test_nothing_heavy_is_imported():
    script = (
        "import sys, odla_ipu; "
        "print(sorted({'onnx', 'onnxruntime', 'cffi', 'popart', 'ml_dtypes', 'rich', 'click',"
        " 'PIL'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
