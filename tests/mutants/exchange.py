"""Reversing a guard in the process that runs: the code of its functions is exchanged for a while.

So hundreds of guards are tried in one run of pytest; a process on a copy of the tree for each takes
a minute. What is in no function (a constant, a statement of SQL) or in one that a decorator has
made can't be exchanged, and goes that longer way.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import CodeType, FunctionType, ModuleType

from tests.mutants.guards import ROOT, Guard


class NotExchangeable(Exception):
    """The reversal is not, or not only, within functions that can be found."""


@contextmanager
def reversed_here(guard: Guard) -> Iterator[None]:
    """Within, the guard is reversed in this process."""
    changes = [(function, function.__code__, code) for function, code in exchanges(guard)]
    try:
        for function, _, code in changes:
            function.__code__ = code
        yield
    finally:
        for function, before, _ in changes:
            function.__code__ = before


def is_exchangeable(guard: Guard) -> bool:
    """Tell whether it can be reversed without another process."""
    try:
        return bool(exchanges(guard))
    except NotExchangeable:
        return False


def exchanges(guard: Guard) -> list[tuple[FunctionType, CodeType]]:
    """Return the functions that a reversal changes, each with its code reversed.

    Raises NotExchangeable.
    """
    source = (ROOT / guard.file).read_text()
    before, after = (
        compile(text, guard.file, "exec", dont_inherit=True)
        for text in (source, guard.reversed_in(source))
    )
    module = import_module(guard.file.removesuffix(".py").replace("/", "."))
    functions = {function.__qualname__: function for function in _functions_of(module)}
    changed = list(_changed(before, after))
    if missing := [code for code in changed if code.co_qualname not in functions]:
        raise NotExchangeable(f"{missing[0].co_qualname} of {guard.file} was not found")
    return [(functions[code.co_qualname], code) for code in changed]


def _changed(before: CodeType, after: CodeType) -> Iterator[CodeType]:
    """Yield what `after`, a module or a class, has of functions that are others in `before`."""
    if _said(before) != _said(after):
        raise NotExchangeable(f"it changes {before.co_name} itself")
    for old, new in zip(_codes(before), _codes(after), strict=True):
        if not old.co_flags & inspect.CO_OPTIMIZED:
            yield from _changed(old, new)
        elif _whole(old) != _whole(new):
            if _inner_functions(old) != _inner_functions(new):
                # Those that were made of it before are not found.
                raise NotExchangeable(f"it changes a function within {old.co_qualname}")
            yield new


def _codes(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def _inner_functions(code: CodeType) -> list[object]:
    """Return the functions with a name that a function makes."""
    return [_whole(inner) for inner in _codes(code) if not inner.co_name.startswith("<")]


def _said(code: CodeType) -> tuple[object, ...]:
    """Return what a code does by itself, wherever it stands: without that of its functions."""
    constants = [repr(each) for each in code.co_consts if not isinstance(each, CodeType)]
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants


def _whole(code: CodeType) -> tuple[object, ...]:
    return *_said(code), [_whole(inner) for inner in _codes(code)]


def _functions_of(module: ModuleType) -> Iterator[FunctionType]:
    """Yield the functions and methods written in a module, also those behind decorators."""
    waiting = list(vars(module).values())
    while waiting:
        found = waiting.pop()
        if isinstance(found, type) and found.__module__ == module.__name__:
            waiting += vars(found).values()
        elif isinstance(found, staticmethod | classmethod):
            waiting.append(found.__func__)
        elif isinstance(found, property):
            waiting.append(found.fget)
        elif isinstance(found, FunctionType):
            waiting += [value for name, value in vars(found).items() if name == "__wrapped__"]
            if found.__code__.co_filename == module.__file__:
                yield found
