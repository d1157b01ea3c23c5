"""Text files of Python literals: parsed, never executed, with every problem in them named.

What a value must be is said by checks: functions that return the value as it is used, or raise
ValueError with what would be right.
"""

from __future__ import annotations

import ast
import dataclasses
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from errors import HyperparameterError

MAXIMUM_FILE_BYTES = 1_000_000
NO_WAITING = getattr(os, "O_NONBLOCK", 0)  # Windows has no such files
MOST_PROBLEMS = 40  # that are named at once
WRONG = object()  # stands for a value that could not be read
Check: TypeAlias = Callable[[Any], Any]


class InnerProblems(ValueError):
    """What is wrong in a dictionary within another one.

    Attributes:
        problems: one sentence each.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        """Hold the problems."""
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def whole_number(low: int, high: int) -> Check:
    """A check for a whole number from `low` to `high`.

    Args:
        low: the least.
        high: the greatest.

    Returns:
        The check, which returns the number.
    """

    def check(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"a whole number from {low:,} to {high:,}")
        return value

    return check


def number_from(low: float, high: float) -> Check:
    """A check for a number from `low` up to, not including, `high`.

    Args:
        low: the least.
        high: above all of them.

    Returns:
        The check, which returns the number.
    """
    return _number(
        lambda value: low <= value < high,
        f"a number from {low:g} up to, not including, {high:g}",
    )


def number_above(low: float, high: float) -> Check:
    """A check for a number above `low`, up to `high`.

    Args:
        low: below all of them.
        high: the greatest.

    Returns:
        The check, which returns the number.
    """
    return _number(lambda value: low < value <= high, f"a number above {low:g}, at most {high:g}")


def _number(is_right: Callable[[float], bool], wanted: str) -> Check:
    def check(value: Any) -> float:
        if type(value) not in (int, float) or not is_right(value):
            raise ValueError(wanted)
        return float(value)

    return check


def one_of(names: Sequence[str]) -> Check:
    """A check for one of some words.

    Args:
        names: the words.

    Returns:
        The check, which returns the word.
    """

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            raise ValueError("one of " + ", ".join(repr(name) for name in names))
        return value

    return check


def one_or_two_whole_numbers(low: int, high: int) -> Check:
    """A check for a whole number, or two of them, from `low` to `high`; returns two.

    Args:
        low: the least.
        high: the greatest.

    Returns:
        The check; of one number it returns it twice.
    """

    def check(value: Any) -> tuple[int, int]:
        pair = (value, value) if type(value) is int else value
        fits = isinstance(pair, (tuple, list)) and len(pair) == 2
        if not fits or not all(type(part) is int and low <= part <= high for part in pair):
            raise ValueError(
                f"a whole number from {low} to {high}, or two of them such as ({low}, {low})"
            )
        return int(pair[0]), int(pair[1])

    return check


def quote(value: Any) -> str:
    """A value as it is written, shortened where it is long.

    Args:
        value: any.

    Returns:
        One line of text.
    """
    try:
        text = repr(value)
    except RecursionError:
        return "something nested too deeply"
    except ValueError:  # Python refuses to write out a number of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."


def quoted_list(names: Sequence[str]) -> str:
    """Words in quotation marks with commas between.

    Args:
        names: the words.

    Returns:
        The text.
    """
    return ", ".join(repr(name) for name in names)


def checked_fields(
    given: Mapping[Any, Any], kind: type[Any], checks: Mapping[str, Check], what: str
) -> tuple[dict[str, Any], list[str]]:
    """Check a dictionary against a dataclass.

    Args:
        given: as it was read, with `WRONG` for values that could not be, which was told already.
        kind: the dataclass.
        checks: for each of its fields, what checks a value and returns it.
        what: the dictionary is, for messages.

    Returns:
        The fields that are right, and every problem found.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}
    known = f"; its keys are {quoted_list(list(fields))}" if fields else ", and needs none"
    problems = [f"{what} has no key {quote(key)}{known}" for key in given if key not in fields]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in given and given[name] is not WRONG:
            try:
                values[name] = checks[name](given[name])
            except InnerProblems as inner:
                problems += [f"{name!r}: {problem}" for problem in inner.problems]
            except ValueError as problem:
                problems.append(f"{name!r} is {quote(given[name])}, but must be {problem}")
        elif name not in given and field.default is dataclasses.MISSING:
            problems.append(f"{what} needs the key {name!r}")
    return values, problems


def nested(kind: type[Any], checks: Mapping[str, Check]) -> Check:
    """A check for a dictionary with the fields of a dataclass; returns the dataclass.

    Args:
        kind: the dataclass; a field without a default must be given.
        checks: for each of its fields.

    Returns:
        The check.
    """

    def check(value: Any) -> Any:
        if not isinstance(value, dict) or not value:
            raise ValueError(f"a dictionary with keys of {quoted_list(list(checks))}")
        values, problems = checked_fields(value, kind, checks, "it")
        if problems:
            raise InnerProblems(problems)
        return kind(**values)

    return check


def literal_value(node: ast.expr, where: str, problems: list[str]) -> Any:
    """Value of a literal.

    Args:
        node: of the parsed file.
        where: it stands, after the line, for messages.
        problems: gets one more where the node is anything else.

    Returns:
        The value; `WRONG` where there is a problem.
    """
    for inner in ast.walk(node):
        problem = _repeated_key(inner) if isinstance(inner, ast.Dict) else None
        if problem:
            problems.append(f"line {inner.lineno}{where}: {problem}")  # type: ignore[attr-defined]
            return WRONG
    value = _literal(node)
    if value is WRONG:
        cause = _cause(node)
        problems.append(
            f"line {cause.lineno}{where}: {_source(cause)} is not a plain value; only numbers, "
            "texts, tuples, lists and dictionaries may stand here"
        )
    return value


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, OverflowError, RecursionError, MemoryError):
        return WRONG


def _cause(node: ast.expr) -> ast.expr:
    """The innermost part of what is no literal for which it is none."""
    while isinstance(node, ast.Dict | ast.List | ast.Tuple | ast.Set):
        parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
        wrong = next((part for part in parts if _literal(part) is WRONG), None)
        if wrong is None:
            break
        node = wrong
    return node


def literal_dictionary(
    node: ast.Dict,
    where: str,
    problems: list[str],
    value_of: Callable[[Any, ast.expr], Any] | None = None,
) -> dict[Any, Any]:
    """The dictionary that a literal is, as far as it is one.

    Args:
        node: where it is written.
        where: its place behind the line, for messages.
        problems: gets one for each key and value that is no literal, or cannot be a key, and for
            each key that is there twice.
        value_of: reads a value by its key, and adds to the problems; None reads literals.

    Returns:
        The dictionary, with `WRONG` in place of each value that is no literal.
    """
    found: dict[Any, Any] = {}
    for key_node, node_of_value in zip(node.keys, node.values, strict=True):
        if key_node is None:
            problems.append(
                f"line {node_of_value.lineno}{where}: '**{_source(node_of_value)}' is not a plain "
                "value; write its keys here"
            )
            continue
        key = literal_value(key_node, where, problems)
        if value_of is None:
            value = literal_value(node_of_value, where, problems)
        else:
            value = value_of(key, node_of_value)
        if key is WRONG:
            continue
        try:
            if key in found:
                problems.append(
                    f"line {key_node.lineno}{where}: the key {quote(key)} is there twice"
                )
            found[key] = value
        except TypeError:
            problems.append(
                f"line {key_node.lineno}{where}: {_source(key_node)} is not a plain value that "
                "can be a key; keys are texts"
            )
    return found


def _source(node: ast.expr) -> str:
    try:
        return quote(ast.unparse(node))
    except (RecursionError, ValueError):
        return "this"


def _repeated_key(node: ast.Dict) -> str | None:
    seen = set()
    for key in node.keys:
        if isinstance(key, ast.Constant):
            if key.value in seen:
                return f"the key {quote(key.value)} is there twice"
            seen.add(key.value)
    return None


def parse_expression(path: Path, expected: str) -> ast.expr:
    """Read the single expression in a text file.

    Args:
        path: a text file, UTF-8.
        expected: what it must hold, for messages.

    Returns:
        The node of the parsed file.

    Raises:
        HyperparameterError: it cannot be read, or holds something else.
    """
    text = _read_text(path).lstrip("\ufeff \t\f")
    if not text.strip():
        raise HyperparameterError(f"{path} is empty; it must hold {expected}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of odd escapes, on standard error
            return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        reason = error.msg
        if "integer string conversion" in reason:  # Python's own limit, and its own advice on that
            reason = "it has a number of thousands of digits"
        raise HyperparameterError(
            f"{path}{line}: this cannot be read as {expected}: {reason}"
        ) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise HyperparameterError(
            f"{path} cannot be read as {expected}: {str(error) or 'it is nested too deeply'}"
        ) from error


def _read_text(path: Path) -> str:
    try:
        if path.is_dir():
            raise HyperparameterError(f"{path} is a folder; a text file is needed here")
        if path.exists() and not path.is_file():
            raise HyperparameterError(f"{path} is no ordinary file; a text file is needed here")
        # Without waiting: some system files say that they are ordinary and never end.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | NO_WAITING)) as file:
            content = file.read(MAXIMUM_FILE_BYTES + 1) or b""
        if len(content) > MAXIMUM_FILE_BYTES:
            raise HyperparameterError(
                f"{path} has more than {MAXIMUM_FILE_BYTES:,} bytes; a text file is shorter"
            )
        return content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except FileNotFoundError as error:
        raise HyperparameterError(
            f"there is no file {path}; give the path of a text file"
        ) from error
    except UnicodeDecodeError as error:
        raise HyperparameterError(
            f"{path} is not a text file in UTF-8, see its byte {error.start}"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise HyperparameterError(f"{path} cannot be read: {reason}") from error


def raise_problems(path: Path, problems: Sequence[str]) -> None:
    """Raise one error that names the problems of a file, of very many the first; none if none.

    Args:
        path: the file.
        problems: a line each.

    Raises:
        HyperparameterError: there are problems.
    """
    if len(problems) == 1:
        raise HyperparameterError(f"{path}, {problems[0]}")
    if problems:
        lines = [*problems[:MOST_PROBLEMS]]
        if len(problems) > MOST_PROBLEMS:
            lines.append(f"and {len(problems) - MOST_PROBLEMS:,} more")
        raise HyperparameterError(
            f"{path} has {len(problems):,} problems:\n" + "\n".join(f"  {line}" for line in lines)
        )
