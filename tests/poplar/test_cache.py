"""What is built again, and what is not."""

from odla_ipu.sim.poplar import builds


def test_key_follows_every_source(tmp_path):
    folder = tmp_path / "kernel"
    folder.mkdir()
    (tmp_path / "outside.hpp").write_text('#include "further.hpp"\n')
    (tmp_path / "further.hpp").write_text("\n")
    (folder / "beside.hpp").write_text("\n")
    (folder / "codelet.cpp").write_text("#include <poplar/Vertex.hpp>\n")
    (folder / "op.cpp").write_text('#include "../outside.hpp"\n')

    def key(**changes):
        return builds._key(builds.unit(folder, **changes))

    keys = [key(), key(debug=True), key(flags=["-DX"]), key(name="other")]
    for path in sorted(tmp_path.rglob("*.?pp")):
        path.write_text(path.read_text() + "// changed\n")
        keys.append(key())
    assert len(set(keys)) == len(keys)
    assert key() == keys[-1]


def test_key_does_not_depend_on_the_place(tmp_path):
    keys = set()
    for name in ("one", "two"):
        folder = tmp_path / name / "kernel"
        folder.mkdir(parents=True)
        (folder / "op.cpp").write_text('#include "../shared.hpp"\n')
        (tmp_path / name / "shared.hpp").write_text("\n")
        keys.add(builds._key(builds.unit(folder)))
    assert len(keys) == 1


def test_files_are_told_apart(tmp_path):
    texts = {
        "a_codelet.cpp": "",
        "vertex.cpp": "#include <poplar/Vertex.hpp>\n",
        "op.cpp": "#include <popart/op.hpp>\n#include <poplar/Vertex.hpp>\n",
        "other.cpp": "",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    found = builds.unit(tmp_path)
    assert [path.name for path in found.codelets] == ["a_codelet.cpp", "vertex.cpp"]
    assert [path.name for path in found.ops] == ["op.cpp", "other.cpp"]
