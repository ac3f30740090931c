"""A program that analyses source code: it parses part of the standard library and keeps the results.

Each syntax tree has links from every node to its parent, as linters add them, so each is one large
cycle; each symbol table hangs beside its tree. Captured when all files are read.
"""

import ast
import os
import symtable

PACKAGES = ["json", "html", "wsgiref", "zoneinfo"]


class Source:
    """A parsed file."""

    def __init__(self, path, text):
        self.path = path
        self.lines = text.splitlines()
        self.tree = ast.parse(text, path)
        self.symbols = scopes(symtable.symtable(text, path, "exec"), None)
        self.functions = {}
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                # The nodes of operators and contexts are shared by all trees: they have no parent.
                if child._fields or isinstance(child, ast.Pass):
                    child.parent = node
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.functions.setdefault(node.name, []).append(node)


class Scope:
    """A scope of a symbol table, linked to the scope around it."""

    def __init__(self, table, outer):
        self.name = table.get_name()
        self.kind = table.get_type()
        self.outer = outer
        self.names = {s.get_name(): (s.is_local(), s.is_free()) for s in table.get_symbols()}
        self.inner = [scopes(child, self) for child in table.get_children()]


def scopes(table, outer):
    return Scope(table, outer)


def files(package):
    folder = os.path.join(os.path.dirname(os.__file__), package)
    for name in sorted(os.listdir(folder)):
        if name.endswith(".py"):
            yield os.path.join(folder, name)


sources = []
for package in PACKAGES:
    for path in files(package):
        with open(path, encoding="utf-8") as file:
            sources.append(Source(os.path.basename(path), file.read()))
