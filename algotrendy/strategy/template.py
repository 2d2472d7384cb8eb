"""A strategy as a form to fill in: lists of conditions, named indicators and specified parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from algotrendy.errors import InputError
from algotrendy.strategy.levels import level_from_json, level_to_json
from algotrendy.strategy.parameter import (
    LEVELS,
    ParameterSpec,
    check_name,
    checked_columns,
    nearest,
    spec_from_dict,
)
from algotrendy.strategy.strategy import Strategy, read_json
from algotrendy.strategy.texts import parse_text

SCHEMA = "algotrendy.strategy-template/1"
ASSET_CLASSES = ("stock", "etf", "crypto", "futures", "forex", "option", "index")
_SYNONYMS = {"stop_loss": "stop", "take_profit": "target", "trailing_stop": "trail", "position_size": "size"}
_ALIAS = re.compile(r"\s*([A-Za-z_]\w*)\s*=(?!=)(.*)", re.DOTALL)
_TOKEN = re.compile(r"\"[^\"]*\"|'[^']*'|(?<!\w)[A-Za-z_]\w*(?!\w)(?!\s*\()")


@dataclass(frozen=True)
class StrategyTemplate:
    """A strategy with its parameters left open within bounds.

    Parameters
    ----------
    name, description : str
        For people to read.
    asset_class : {'stock', 'etf', 'crypto', 'futures', 'forex', 'option', 'index'}
        What it is meant for.
    parameters : dict of str to ParameterSpec
        What may be varied.
    indicators : list of str
        Numbers the conditions use. 'fast_average = sma(close, fast)' gives one a name that the conditions may use; an
        expression without a name documents what is looked at.
    entry_conditions : list of str
        A long position is opened when **all** of them hold.
    exit_conditions : list of str
        It is closed when **any** of them holds.
    risk_management : dict
        `stop`, `target`, `trail`, `size` (or `stop_loss`, `take_profit`, `trailing_stop`, `position_size`): fractions
        or expressions.
    columns : list of str
        Further columns of the bars that the texts use by name, as in `Strategy`.

    Raises
    ------
    InputError
        If a field has the wrong form, or names something unknown.

    Examples
    --------
    >>> template = StrategyTemplate(
    ...     name="Average cross",
    ...     description="Long while the fast average is above the slow one",
    ...     asset_class="index",
    ...     parameters={"fast": ParameterSpec("fast", "int", 2, 100, default=20)},
    ...     indicators=["quick = sma(close, fast)", "sma(close, 50)"],
    ...     entry_conditions=["quick > sma(close, 50)"],
    ...     exit_conditions=["quick <= sma(close, 50)"],
    ...     risk_management={"stop_loss": 0.1},
    ... )
    >>> strategy = template.to_strategy(fast=10)
    >>> strategy.entry, strategy.stop, dict(strategy.parameters)
    ('(sma(close, fast)) > sma(close, 50)', 0.1, {'fast': 10})
    """

    name: str
    description: str
    asset_class: str
    parameters: dict[str, ParameterSpec]
    indicators: list[str]
    entry_conditions: list[str]
    exit_conditions: list[str]
    risk_management: dict[str, Any]
    columns: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.asset_class not in ASSET_CLASSES:
            raise InputError(f"asset_class is {self.asset_class!r}{nearest(self.asset_class, ASSET_CLASSES)}")
        for part in ("indicators", "entry_conditions", "exit_conditions"):
            value = getattr(self, part)
            if isinstance(value, str) or not all(isinstance(item, str) for item in value):
                raise InputError(f"{part} is {value!r}; give a list of texts")
        object.__setattr__(self, "columns", list(checked_columns(self.columns)))
        if not self.entry_conditions:
            raise InputError("entry_conditions is empty, so nothing would ever be bought; give at least one condition")
        for name, spec in self.parameters.items():
            if not isinstance(spec, ParameterSpec):
                raise InputError(f"parameter {name!r} is {spec!r}; give a ParameterSpec")
        allowed = (*LEVELS, *_SYNONYMS)
        for name in self.risk_management:
            if name not in allowed:
                raise InputError(f"unknown entry {name!r} in risk_management{nearest(name, allowed)}")

    def __hash__(self) -> int:
        return hash((self.name, self.asset_class, *self.entry_conditions, *self.exit_conditions))

    def to_strategy(self, **values: Any) -> Strategy:
        """Return the strategy with the parameters at their defaults, or at the values given.

        Raises
        ------
        InputError
            If a value is outside its spec, or a parameter has neither a value nor a default.
        ExpressionError
            If a condition or an indicator is not an expression.
        """
        params = self._with_defaults(values)
        aliases = self._aliases(tuple(params))
        levels: dict[str, Any] = {}
        for name, value in self.risk_management.items():
            key = _SYNONYMS.get(name, name)
            if key in levels:
                raise InputError(f"risk_management gives {key} twice, as {name!r} and under another name; give it once")
            levels[key] = _spelled_out(value, aliases) if isinstance(value, str) else value
        return Strategy(
            entry=_joined(self.entry_conditions, "and", aliases),
            exit=_joined(self.exit_conditions, "or", aliases) if self.exit_conditions else None,
            columns=self.columns,
            params=params,
            name=self.name,
            description=self.description,
            **levels,
        ).with_params(**values)

    def _with_defaults(self, values: Mapping[str, Any]) -> dict[str, ParameterSpec]:
        params: dict[str, ParameterSpec] = {}
        for name, spec in self.parameters.items():
            default = spec.default if spec.default is not None else values.get(name)
            if default is None:
                raise InputError(f"parameter {name!r} has no default; give a value: to_strategy({name}=...)")
            params[name] = ParameterSpec(**{**spec.to_dict(), "default": default})
        return params

    def _aliases(self, parameters: tuple[str, ...]) -> dict[str, str]:
        aliases: dict[str, str] = {}
        for text in self.indicators:
            match = _ALIAS.match(text)
            name, body = (match[1], match[2].strip()) if match else ("", text)
            spelled = _spelled_out(body, aliases)
            parse_text("an indicator", spelled, "number", parameters, self.columns)
            if not name:
                continue
            from algotrendy.expressions import function_names

            check_name(name, function_names())
            if name in parameters or name in aliases:
                raise InputError(f"indicator {name!r} has the name of a parameter or of another indicator; rename it")
            aliases[name] = spelled
        return aliases

    def to_json(self) -> str:
        """Return the template as JSON text with its schema version."""
        content = {each.name: getattr(self, each.name) for each in fields(self)}
        if not self.columns:  # files of templates without any stay as they were
            del content["columns"]
        content["parameters"] = {name: spec.to_dict() for name, spec in self.parameters.items()}
        content["risk_management"] = {name: level_to_json(value) for name, value in self.risk_management.items()}
        return json.dumps({"schema": SCHEMA, **content})

    @classmethod
    def from_json(cls, text: str) -> StrategyTemplate:
        """Return the template that `to_json` wrote.

        Raises
        ------
        InputError
            If the text is not JSON, of another schema, or not a template.
        """
        names = [each.name for each in fields(cls)]
        content = read_json(text, SCHEMA, names)
        missing = [name for name in names if name not in content and name != "columns"]
        if missing:
            raise InputError(f"the template lacks {', '.join(missing)}")
        specs = content["parameters"]
        content["parameters"] = {name: spec_from_dict(name, spec) for name, spec in specs.items()}
        content["risk_management"] = {k: level_from_json(value) for k, value in content["risk_management"].items()}
        return cls(**content)


def _spelled_out(text: str, aliases: Mapping[str, str]) -> str:
    """Put the expressions of named indicators in the place of their names; quoted text and calls are left alone."""
    return _TOKEN.sub(lambda match: f"({aliases[match[0]]})" if match[0] in aliases else match[0], text)


def _joined(conditions: list[str], word: str, aliases: Mapping[str, str]) -> str:
    texts = [_spelled_out(condition, aliases) for condition in conditions]
    return texts[0] if len(texts) == 1 else f" {word} ".join(f"({text})" for text in texts)
