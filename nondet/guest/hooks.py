"""Calls back right after a module was imported, before its importer goes on."""

import sys


class PostImport(object):
    """A finder that finds nothing itself: it lets the others find, and listens to the loader.

    Not derived from `importlib.abc.MetaPathFinder`: importing that pulls in `random`.

    Only the one loader instance of a wanted module is touched, for the time of its execution,
    so that `__loader__` and `__spec__` stay what they would be without us.
    """

    def __init__(self, failed, again=lambda name: None):
        """`again(name)` is called when a module that was listened to is looked for once more."""
        self.failed = failed
        self.again = again
        self.heard = set()
        self.wanted = {}
        self.awaited = {}
        self.searching = set()

    def on_import(self, name, callback):
        """Call ``callback(module)`` once `name` is imported: now, when it already is."""
        module = sys.modules.get(name)
        if module is not None:
            self.heard.add(name)
            self._call(callback, module)
        else:
            self.wanted.setdefault(name, []).append(callback)

    def before_import(self, name, callback):
        """Call ``callback()`` when `name` is about to be imported; never when it already is."""
        self.awaited.setdefault(name, []).append(callback)

    def stay(self, frame, arguments):
        """At the beginning of an import: a script that puts the finders in an order of its own, or
        clears them away, is listened to all the same. Where we stand among them is left to it."""
        finders = arguments[3]
        if finders is not None and not any(finder is self for finder in finders):
            finders.insert(0, self)

    def find_spec(self, name, path=None, target=None):
        if name in self.searching:
            return None
        for callback in self.awaited.pop(name, ()):
            self._call(lambda _, callback=callback: callback(), sys)
        if name not in self.wanted:
            if name in self.heard:
                self.again(name)
            return None
        self.searching.add(name)
        try:
            spec = self._others(name, path, target)
        finally:
            self.searching.discard(name)
        loader = getattr(spec, "loader", None)
        if loader is not None and not isinstance(loader, type):
            self._listen(name, loader)
        return spec

    def _others(self, name, path, target):
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec = find(name, path, target)
            if spec is not None:
                return spec
        return None

    def _listen(self, name, loader):
        original = loader.exec_module

        def exec_module(module):
            del loader.exec_module
            original(module)
            self.heard.add(name)
            for callback in self.wanted.pop(name, ()):
                self._call(callback, sys.modules.get(name, module))

        try:
            loader.exec_module = exec_module
        except AttributeError as error:
            self.failed("listening to the import of " + name, error)

    def _call(self, callback, module):
        try:
            callback(module)
        except Exception as error:
            self.failed("after the import of " + module.__name__, error)
