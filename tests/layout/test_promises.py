"""What no file of the package may hold, and the short lists of where it may."""

from __future__ import annotations

import ast
import re
from typing import Any

BROAD_EXCEPTS: dict[str, str] = {
    "algotrendy/backtest/lookahead/subject.py::Subject.run": "any error of a stranger's function is a failed run",
    "algotrendy/compute/cluster.py::_hold": "what Ray raises is raised by the thread that asked for it",
    "algotrendy/compute/processes.py::_serve": "what a chunk raises is raised by the caller's process, not by this one",
    "algotrendy/data/stream/delivery.py::surviving": "one subscriber's callback may not end the others'",
    "algotrendy/events/bus.py::InProcessBus._bury": "what is told of dead letters may not hurt who publishes",
    "algotrendy/events/subscription.py::Subscription._surviving": "a handler may not end its worker or the others'",
    "algotrendy/jobs/worker.py::Worker._aside": "an error in a thread of the worker is raised by run",
    "algotrendy/jobs/worker.py::Worker._outcome": "a handler that fails may not end the worker",
    "algotrendy/risk/alerts.py::AlertManager._tell": "an alert stands even if nobody can be told of it now",
    "algotrendy/risk/monitor.py::_estimated": "what cannot be measured is counted as such, and the rest is measured",
    "algotrendy/risk/limits/evaluate.py::_check": "a limit that cannot be evaluated is not kept",
    "algotrendy/risk/limits/evaluate.py::_within": "a limit that cannot be evaluated is not kept",
    "algotrendy/risk/limits/evaluate.py::check_totals": "an order that cannot be looked at is denied",
    "algotrendy/services/risk_asking.py::closed_if_it_fails": "an order whose portfolio cannot be looked at is denied",
    "algotrendy/services/risk_engine.py::RiskEngineService._watch": "one measurement that fails may not end the watch",
}
"""Place of each `except Exception`, and why a loop must survive or a check must fail closed there."""

PRINTING_ROOMS = ("algotrendy/cli/",)


def _is_broad(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in _BROAD) for kind in kinds)


_BROAD = ("Exception", "BaseException")


def test_broad_excepts_stand_in_the_named_list_only(sources: list[Any]) -> None:
    found = {
        place
        for source in sources
        for place, function in source.functions()
        for node in ast.walk(function)
        if isinstance(node, ast.ExceptHandler) and _is_broad(node)
    }
    at_top = {
        source.name
        for source in sources
        for node in source.tree.body
        for inner in ast.walk(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and isinstance(inner, ast.ExceptHandler)
        and _is_broad(inner)
    }
    assert found | at_top == set(BROAD_EXCEPTS)


def test_nothing_is_left_for_later(sources: list[Any]) -> None:
    later = re.compile(r"\bNotImplementedError\b|\bTODO\b|\bFIXME\b|\bXXX\b")
    found = [
        f"{source.name}:{number}"
        for source in sources
        for number, line in enumerate(source.text.splitlines(), start=1)
        if later.search(line)
    ]
    assert found == []


def test_only_the_command_line_prints(sources: list[Any]) -> None:
    found = [
        f"{source.name}:{node.lineno}"
        for source in sources
        if not source.name.startswith(PRINTING_ROOMS)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert found == []


def test_nothing_is_evaluated_as_python(sources: list[Any]) -> None:
    found = [
        f"{source.name}:{node.lineno}"
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec")
    ]
    assert found == []


def test_every_silenced_warning_of_a_tool_says_why(sources: list[Any]) -> None:
    silenced = re.compile(r"#\s*(noqa|type:\s*ignore)(?P<rest>.*)$")
    found = []
    for source in sources:
        for number, line in enumerate(source.text.splitlines(), start=1):
            match = silenced.search(line)
            if match and ("[" not in match["rest"] and ":" not in match["rest"]):
                found.append(f"{source.name}:{number}")
    assert found == []


def test_every_error_class_is_drawn_in_the_tree() -> None:
    from algotrendy import errors

    classes = {
        name: cls for name, cls in vars(errors).items() if isinstance(cls, type) and cls.__module__ == errors.__name__
    }
    drawn = re.findall(r"^(?:[│├└─ ]*)([A-Z]\w+)", (errors.__doc__ or "").split("\n\n", 1)[1], re.MULTILINE)
    assert set(classes) <= set(drawn)
    assert all(issubclass(cls, errors.AlgotrendyError) for cls in classes.values())


def test_errors_are_defined_in_one_file(sources: list[Any]) -> None:
    found = [
        f"{source.name}:{node.name}"
        for source in sources
        if source.name != "algotrendy/errors.py"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef) and node.name.endswith("Error")
    ]
    assert found == []
