"""Vertex classes, instances and names that may be fields, found in preprocessed text."""

import pytest

from odla_ipu.sim.poplar.scan import companion, scan


def _names(text):
    return [vertex.full_name for vertex in scan(text).vertices]


@pytest.mark.parametrize(
    "text, names",
    [
        ("class A : public Vertex { };", ["A"]),
        ("struct A final : Vertex { };", ["A"]),
        ('class [[poplar::constraint("elem(*a) != elem(*b)")]] A : public Vertex { };', ["A"]),
        ("class __attribute__((packed)) A : public Vertex { };", ["A"]),
        ("class A; enum class B { X, Y }; struct C *c; class A f(struct D d);", []),
        ("template <class T> class A : public Vertex { };", []),
        ("template <class T> class A { }; template class A<float>;", ["A<float>"]),
        (
            "template <class T, bool B = (4 < 5)> struct A { }; template struct A<Vector<int>>;",
            ["A<Vector<int>>"],
        ),
        ("template <> class A<half> : public Vertex { };", ["A<half>"]),
        ("extern template class A<int>;", []),
        (
            "namespace a { namespace b::c { class D { }; } inline namespace e { class F { }; } }",
            ["a::b::c::D", "a::e::F"],
        ),
        ("namespace x = y; using namespace z; class A { };", ["A"]),
        ("namespace { class A { }; }", ["A"]),
        ('extern "C" { class A { }; }', ["A"]),
        ("class A { class B { }; void f() { struct C { int x; }; } };", ["A"]),
        ('const char *t = R"x(class Q { }; ")x"; class A { };', ["A"]),
        ('const char *t = "class Q { \\" };"; char c = \'{\'; class A { };', ["A"]),
        ("template <class T> using P = Q<T>; class A { };", ["A"]),
        ("template class A<unsigned int, a::B::C, -1>;", ["A<unsigned int,a::B::C,-1>"]),
    ],
)
def test_classes(text, names):
    assert _names(text) == names


@pytest.mark.parametrize(
    "body, fields",
    [
        ("Input<Vector<float>> in; Output<int> out;", ["in", "out"]),
        ("unsigned a, b = 3, c{4}; const T d;", ["a", "b", "c", "d"]),
        ("bool e = N < 4; int f;", ["e", "f"]),
        ("A(); ~A(); void compute() { int local; other = 3; } int g;", ["g"]),
        ("static constexpr int h = F<1, 2>::v; int i = f(x, y), j;", ["h", "i", "j"]),
        ("template <class U> void m(U u) const { } Vector<Input<Vector<T, L, 8>>, S> k;", ["k"]),
        (
            "using P = Vector<int>; typedef Vector<T> Q; P l; bool operator<(const A &o) const;",
            ["l"],
        ),
    ],
)
def test_fields(body, fields):
    found = scan("class A { public: " + body + " };").fields
    assert [name for name in found if name in fields] == fields
    # What else may be found is no data member, which the compiler sees.
    assert not set(found) - set(fields) - {"P", "Q", "v"}


def test_system_headers_are_left_out():
    text = (
        '# 1 "a.cpp"\nclass A { };\n# 1 "/usr/include/x.h" 1 3\nclass X { };\n'
        '# 1 "b.hpp" 1\nclass B { };\n# 3 "a.cpp" 2\nclass C { };\n'
    )
    assert _names(text) == ["A", "B", "C"]


def test_companion_registers_in_the_namespace_of_the_class():
    text = companion("/x/a.cpp", scan("namespace n { class A { int in; }; }"))
    assert text.startswith('#include "/x/a.cpp"\n')
    assert "ODLA_POPLAR_FIELD(in)" in text
    assert 'odlaVertex0("n::A"); }' in text and text.count("namespace n {") == 1
