"""Frozen dataclasses of which the methods are made when the first value is.

Python compiles six methods for a frozen dataclass while a module is imported, one by one, which takes nine tenths of
the time that the class takes; a run has no value of most classes that it imports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    import dataclasses

    def dataclass(*, frozen=False, slots, kw_only=False):
        """As ``dataclasses.dataclass``."""

        def process(cls):
            cls = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(cls)
            own = frozenset(vars(cls))

            def __init__(self, *args, **kwargs):
                for name, method in _methods(cls, frozen).items():  # __init__ is last: who finds it finds all
                    if name not in own:
                        setattr(cls, name, method)
                cls.__init__(self, *args, **kwargs)

            cls.__init__ = __init__
            return cls

        return process

    def _methods(cls, frozen):
        """All that is compiled in one go; what need not be quick is the same function for every class."""
        fields, missing = dataclasses.fields(cls), dataclasses.MISSING
        scope = {"missing__": missing, "set__": object.__setattr__}
        heads, lines = {False: ["self"], True: ["*"]}, []
        for field in fields:
            name, default, value = field.name, f"{field.name}__default", field.name
            scope[default] = field.default
            if field.default_factory is not missing:
                scope[f"{name}__factory"] = field.default_factory
                value = f"{name}__factory() if {name} is missing__ else {name}"
            optional = field.default is not missing or field.default_factory is not missing
            if field.init:
                heads[field.kw_only].append(f"{name}={default}" if optional else name)
            elif optional:
                value = default if field.default_factory is missing else f"{name}__factory()"
            if field.init or optional:
                lines.append(f" set__(self, {name!r}, {value})")
        if hasattr(cls, "__post_init__"):
            lines.append(" self.__post_init__()")
        head = ", ".join(heads[False] + (heads[True] if len(heads[True]) > 1 else []))
        mine, theirs = (
            "".join(f"{who}.{field.name}, " for field in fields if field.compare) for who in ("self", "other")
        )
        source = [
            *(
                "def __eq__(self, other):",
                f" return ({mine}) == ({theirs}) if type(other) is type(self) else NotImplemented",
            ),
            *("def __hash__(self):", f" return hash(({mine}))"),
            *(f"def __init__({head}):", *lines, " return None"),
        ]
        exec("\n".join(source), scope)
        made = {"__eq__": scope["__eq__"], "__hash__": scope["__hash__"] if frozen else None, "__repr__": _repr}
        return made | (_FROZEN if frozen else {}) | {"__init__": scope["__init__"]}

    def _repr(self):
        shown = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def _refuse_to_set(self, name, value):
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def _refuse_to_delete(self, name):
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    _FROZEN = {"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
