"""Finds the vertex classes of a codelet file: their names, instances and possible fields.

The file is scanned after the preprocessor, so macros and comments are gone, and only namespaces,
class heads, explicit instantiations and names declared in class bodies are looked at.  What is a
vertex and what is a field, and of which type, the compiler decides in the companion file that
:func:`companion` writes.  Limits: vertices nested in other classes are not found.
"""

import re
from typing import List, NamedTuple, Tuple

_TOKEN = re.compile(
    r"""
    R"(?P<tag>[^()\s]*)\(.*?\)(?P=tag)"            # a raw string
  | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*'
  | [A-Za-z_]\w*
  | \.?\d(?:[\w.]|(?<=[eEpP])[+-])*                # a number
  | ::|->|\[\[|\]\] | [^\s\w]
    """,
    re.VERBOSE | re.DOTALL,
)
_WORD = re.compile(r"[A-Za-z_]\w*\Z")
_MARKER = re.compile(r'# \d+ "((?:\\.|[^"\\])*)"((?: \d)*)')
_NO_FIELDS = frozenset(
    [
        "auto",
        "bool",
        "char",
        "class",
        "const",
        "constexpr",
        "default",
        "delete",
        "double",
        "else",
        "enum",
        "explicit",
        "false",
        "final",
        "float",
        "friend",
        "inline",
        "int",
        "long",
        "mutable",
        "noexcept",
        "nullptr",
        "operator",
        "override",
        "private",
        "protected",
        "public",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "struct",
        "template",
        "this",
        "throw",
        "true",
        "typedef",
        "typename",
        "union",
        "unsigned",
        "using",
        "virtual",
        "void",
        "volatile",
        "while",
    ]
)


class Vertex(NamedTuple):
    """A class that may be a vertex: its namespace and its name within, with template arguments."""

    namespace: Tuple[str, ...]
    name: str

    @property
    def full_name(self) -> str:
        return "::".join((*self.namespace, self.name))


class Found(NamedTuple):
    vertices: List[Vertex]
    fields: List[str]


def scan(preprocessed: str) -> Found:
    """What the output of ``g++ -E`` holds outside system headers."""
    return _Scanner(_tokens(preprocessed)).scan()


def _tokens(preprocessed: str) -> List[str]:
    own, is_own = [], True
    for line in preprocessed.splitlines():
        marker = _MARKER.match(line)
        if marker:
            is_own = " 3" not in marker.group(2)
        elif is_own and not line.startswith("#"):
            own.append(line)
    return [match.group() for match in _TOKEN.finditer("\n".join(own))]


class _Scanner:
    def __init__(self, tokens: List[str]):
        self.tokens = [*tokens, ""]
        self.place = 0
        self.scopes: List[Tuple[str, Tuple[str, ...]]] = []
        self.found = Found([], [])

    def scan(self) -> Found:
        while self.place < len(self.tokens) - 1:
            token = self.tokens[self.place]
            if token == "namespace" and self._in_namespace():
                self._namespace()
            elif token == "template":
                self._template()
            elif token == "extern" and self.tokens[self.place + 2 : self.place + 3] == ["{"]:
                self.scopes.append(("namespace", ()))
                self.place += 3
            elif token in ("class", "struct") and self._before() != "enum":
                self._class(False)
            elif token == "{":
                self.scopes.append(("body", ()))
                self.place += 1
            elif token == "}":
                if self.scopes:
                    self.scopes.pop()
                self.place += 1
            elif self.scopes and self.scopes[-1][0] == "class":
                self._member(token)
            else:
                self.place += 1
        return self.found

    def _in_namespace(self) -> bool:
        return all(kind == "namespace" for kind, _ in self.scopes)

    def _before(self) -> str:
        return self.tokens[self.place - 1] if self.place else ""

    def _path(self) -> Tuple[str, ...]:
        return tuple(name for _, names in self.scopes for name in names)

    def _namespace(self) -> None:
        self.place += 1
        if self._before() == "namespace" and self.tokens[self.place - 2] == "using":
            return
        names: List[str] = []
        while self.tokens[self.place] not in ("{", ";", "=", ""):
            if _WORD.match(self.tokens[self.place]) and self.tokens[self.place] != "inline":
                names.append(self.tokens[self.place])
            self.place += 1
        if self.tokens[self.place] == "{":
            self.scopes.append(("namespace", tuple(names)))
            self.place += 1

    def _skip(self, opening: str, closing: str) -> List[str]:
        """Passes a balanced stretch, which begins here; returns its tokens."""
        start, depth = self.place, 0
        while self.tokens[self.place]:
            token = self.tokens[self.place]
            if token == opening:
                depth += 1
            elif token == closing:
                depth -= 1
                if depth == 0:
                    self.place += 1
                    break
            elif token == "(" and opening == "<":
                self._skip("(", ")")
                continue
            self.place += 1
        return self.tokens[start : self.place]

    def _template(self) -> None:
        self.place += 1
        if self.tokens[self.place] == "<":
            is_open = len(self._skip("<", ">")) > 2  # template <> is a specialisation
            if self.tokens[self.place] in ("class", "struct"):
                self._class(is_open)
            return
        if self.tokens[self.place - 2 : self.place - 1] == ["extern"]:
            return
        if self.tokens[self.place] not in ("class", "struct") or not self._in_namespace():
            return
        self.place += 1
        start = self.place
        while self.tokens[self.place] not in (";", ""):
            self.place += 1
        name = _joined(self.tokens[start : self.place])
        self.found.vertices.append(Vertex(self._path(), name))

    def _class(self, is_template: bool) -> None:
        self.place += 1
        name: List[str] = []
        while self.tokens[self.place] not in ("{", ";", ":", ""):
            token = self.tokens[self.place]
            if token == "[[":
                self._skip("[[", "]]")
            elif token == "(":
                self._skip("(", ")")
            elif token == "<":
                name += self._skip("<", ">")
            elif token in ("final", "alignas", "__attribute__"):
                self.place += 1
            elif _WORD.match(token) and not name:
                name.append(token)
                self.place += 1
            elif token in (",", ")", ">", "=", "&", "*") or _WORD.match(token):
                return  # no definition: a parameter, a variable
            else:
                self.place += 1
        while self.tokens[self.place] not in ("{", ";", ""):
            self.place += 1
        if self.tokens[self.place] != "{":
            return
        if name and not is_template and self._in_namespace():
            self.found.vertices.append(Vertex(self._path(), _joined(name)))
        self.scopes.append(("class", tuple(name[:1])))
        self.place += 1

    def _member(self, token: str) -> None:
        if token == "(":
            self._skip("(", ")")
            return
        if token == "<" and _WORD.match(self._before()):
            self._skip("<", ">")
            return
        if token == "=":
            self._skip_value()
            return
        self.place += 1
        following = self.tokens[self.place]
        if (
            _WORD.match(token)
            and token not in _NO_FIELDS
            and following in (";", "=", ",", "{", "[")
            and token not in self.found.fields
        ):
            self.found.fields.append(token)

    def _skip_value(self) -> None:
        """Passes what a member begins with, in which ``<`` need not be a bracket."""
        while self.tokens[self.place] not in (";", ",", "}", ""):
            token = self.tokens[self.place]
            if token == "(":
                self._skip("(", ")")
            elif token == "{":
                self._skip("{", "}")
            else:
                self.place += 1


def _joined(tokens: List[str]) -> str:
    """Source text again: blanks only where two words meet."""
    text = ""
    for token in tokens:
        if text and re.match(r"\w", token) and re.search(r"\w\Z", text):
            text += " "
        text += token
    return text


def companion(source: str, found: Found) -> str:
    """A translation unit that includes the file ``source`` and registers its vertices."""
    lines = [f'#include "{source}"', "#include <host/vertices.hpp>", ""]
    lines += [f"ODLA_POPLAR_FIELD({field})" for field in found.fields]
    lines += ["template <class C>", "void odlaFields(poplar::host::Field *fields, unsigned &n) {"]
    lines += ["  const C *object = reinterpret_cast<const C *>(4096);", "  (void)object;"]
    lines += [f"  odlaAdd_{field}<C>(fields, n, object);" for field in found.fields]
    lines += ["}", ""]
    for number, vertex in enumerate(found.vertices):
        opened = "".join(f"namespace {name} {{ " for name in vertex.namespace)
        text = vertex.full_name.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(
            f"{opened}static const poplar::host::Register<{vertex.name}, "
            f'&::odlaFields<{vertex.name}>> odlaVertex{number}("{text}");'
            + " }"
            * len(vertex.namespace)
        )
    return "\n".join(lines) + "\n"
