"""Jinja for task templates: a template reads its row and nothing else, and always comes to an end."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, Undefined, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

# A list of options is looped over, and perhaps something within it; three deep is no template any more.
LOOPS_DEEP = 2
MOST_CHARACTERS = 4 << 20
# They make text of any length out of a number.
_PADDING = frozenset({"center", "ljust", "rjust", "zfill", "format", "format_map", "expandtabs"})
_FORBIDDEN: tuple[tuple[type[nodes.Node], str], ...] = (
    (nodes.Include, "takes in another template; write the text here"),
    (nodes.Import, "takes in another template; write the text here"),
    (nodes.FromImport, "takes in another template; write the text here"),
    (nodes.Extends, "takes in another template; write the text here"),
    (nodes.Macro, "defines a macro, which may call itself for ever; write the text out"),
    (nodes.CallBlock, "calls a macro; write the text out"),
)


class UnfitTemplate(ValueError):
    """A text that is no template, or one that could do harm."""


class NullColumn(ValueError):
    """A template shows a column that is null in this row."""


def _shown(value: Any) -> Any:
    if value is None:
        raise NullColumn("it shows a column that is null in this row")
    if not isinstance(value, str | int | float | list | tuple | dict | Undefined):
        # Python shows where such a thing lies in memory, which is another place in every process.
        raise UnfitTemplate(f"shows a {type(value).__name__} and no text; call it, or add `| list` or `| join`")
    return value


class _Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        plain = all(isinstance(value, int | float) for value in (left, right))
        if not plain or (operator == "**" and (abs(left) > 1e6 or abs(right) > 64)):
            raise SecurityError(f"{operator} is for small numbers only")
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return attr not in _PADDING and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """Jinja would let `format` pass in a safer form, whose widths have no bound all the same."""


def _sandbox() -> _Sandbox:
    environment = _Sandbox(undefined=StrictUndefined, autoescape=False, finalize=_shown)
    # Without functions there is no range to loop over; `random` would give another text at every build.
    environment.globals.clear()
    for name in ("random", "center", "format", "xmlattr"):
        environment.filters.pop(name)
    return environment


ENVIRONMENT = _sandbox()


@lru_cache(maxsize=1024)
def compiled(text: str) -> Template:
    """Return a text as a template; raises what `names_of` raises."""
    names_of(text)
    return ENVIRONMENT.from_string(text)


@lru_cache(maxsize=1024)
def names_of(text: str) -> frozenset[str]:
    """Return the names that a template takes from its row; raises UnfitTemplate, saying what to mend."""
    try:
        tree = ENVIRONMENT.parse(text)
        for kind, fault in _FORBIDDEN:
            if tree.find(kind) is not None:
                raise UnfitTemplate(fault)
        if any(loop.recursive for loop in tree.find_all(nodes.For)) or _loops_deep(tree) > LOOPS_DEEP:
            raise UnfitTemplate(f"loops more than {LOOPS_DEEP} deep; write it flatter")
        # Compiling finds filters and tests that do not exist.
        ENVIRONMENT.compile(text)
        return frozenset(meta.find_undeclared_variables(tree))
    except TemplateSyntaxError as error:
        raise UnfitTemplate(f"broken Jinja, line {error.lineno} ({error.message}); mend it") from error
    except TemplateError as error:
        raise UnfitTemplate(f"broken Jinja ({error.message}); mend it") from error


def tested_names(text: str) -> frozenset[str]:
    """Return the names that the conditions of a sound template ask about."""
    tree = ENVIRONMENT.parse(text)
    tests = [*(node.test for node in tree.find_all(nodes.If)), *(node.test for node in tree.find_all(nodes.CondExpr))]
    return frozenset(
        name.name for test in tests for name in (test, *test.find_all(nodes.Name)) if isinstance(name, nodes.Name)
    )


def _loops_deep(node: nodes.Node) -> int:
    below = max((_loops_deep(child) for child in node.iter_child_nodes()), default=0)
    return below + isinstance(node, nodes.For)


def render(template: Template, values: dict[str, Any]) -> str:
    """Return the text of a template for a row, or raise when it grows beyond all measure."""
    pieces, length = [], 0
    for piece in template.generate(values):
        length += len(piece)
        if length > MOST_CHARACTERS:
            raise SecurityError(f"the text is longer than {MOST_CHARACTERS} characters")
        pieces.append(piece)
    return "".join(pieces)
