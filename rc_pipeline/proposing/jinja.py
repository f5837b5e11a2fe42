"""The Jinja that a proposed template may use: much less than the sandbox allows a person's."""

from __future__ import annotations

from jinja2 import TemplateError, nodes

from rc_pipeline.instructions.sandbox import ENVIRONMENT

FILTERS = {"trim", "lower", "upper", "capitalize", "title", "first", "last", "length", "join", "default"}
_PLAIN = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Filter, nodes.Test, nodes.If,
    nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Getitem, nodes.For,
    nodes.Getattr, nodes.Concat,
)  # fmt: skip


def why_not_plain(text: str) -> str:
    """Return what in a text is more than columns, conditions and a loop over a column; nothing when all is plain."""
    try:
        tree = ENVIRONMENT.parse(text)
    except TemplateError as error:
        return f"broken Jinja ({error.message})"
    for node in tree.find_all(nodes.Node):
        fault = _fault(node)
        if fault:
            return fault
    return ""


def _fault(node: nodes.Node) -> str:
    if not isinstance(node, _PLAIN):
        return f"a {type(node).__name__.lower()}"
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        return f"the filter {node.name}"
    if isinstance(node, nodes.Getattr) and not (isinstance(node.node, nodes.Name) and node.node.name == "loop"):
        return f"the attribute {node.attr}"
    if isinstance(node, nodes.Getitem) and not isinstance(node.arg, nodes.Name | nodes.Const):
        return "a worked-out index"
    if isinstance(node, nodes.For) and not _is_plain_loop(node):
        return "a loop over something else than a column, or within another loop"
    return ""


def _is_plain_loop(loop: nodes.For) -> bool:
    return isinstance(loop.iter, nodes.Name) and not loop.recursive and next(loop.find_all(nodes.For), None) is None
