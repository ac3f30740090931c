"""An application made of plugins: deep hierarchies of classes, closures, registries and waiting tasks.

Each plugin brings classes made at run time: abstract bases, data classes, enumerations, descriptors,
overloads. They are found through registries, some of them weak; signals connect their instances by
closures and bound methods; every active plugin has tasks that wait in the event loop and generators
that wait in the middle. Captured inside the running event loop. Capture it with --own, so that the
graph holds what the application has made and imported.
"""

import abc
import asyncio
import collections
import contextlib
import dataclasses
import enum
import functools
import types
import weakref

PLUGINS = 60
INSTANCES = 25


class Registered(abc.ABCMeta):
    """A metaclass that knows every class made with it, by name, and their instances as long as they live."""

    classes = {}

    def __init__(cls, name, bases, members):
        super().__init__(name, bases, members)
        cls.instances = weakref.WeakSet()
        Registered.classes[name] = cls

    def __call__(cls, *args, **kwargs):
        instance = super().__call__(*args, **kwargs)
        cls.instances.add(instance)
        return instance


class Checked:
    """A descriptor that checks what is assigned, and tells the owner's signal."""

    def __init__(self, check):
        self.check = check

    def __set_name__(self, owner, name):
        self.owner, self.name = owner, name

    def __get__(self, instance, owner=None):
        return self if instance is None else instance.__dict__.get(self.name)

    def __set__(self, instance, value):
        if not self.check(value):
            raise ValueError(self.name)
        instance.__dict__[self.name] = value
        instance.changed.send(instance, self.name, value)


class Signal:
    """Receivers that are called in order: strong closures, and methods held weakly."""

    def __init__(self):
        self.strong, self.weak = [], []

    def connect(self, receiver):
        if isinstance(receiver, types.MethodType):
            self.weak.append(weakref.WeakMethod(receiver))
        else:
            self.strong.append(receiver)

    def send(self, *message):
        for receiver in self.strong:
            receiver(*message)
        for reference in self.weak:
            receiver = reference()
            if receiver is not None:
                receiver(*message)


class Component(metaclass=Registered):
    """What plugins derive from."""

    title = Checked(lambda value: isinstance(value, str))

    def __init__(self, plugin, title):
        self.plugin, self.parts, self.heard = plugin, [], collections.deque(maxlen=4)
        self.changed = Signal()
        self.title = title

    @abc.abstractmethod
    def apply(self, event):
        """Handles an event."""

    def hear(self, sender, name, value):
        self.heard.append((sender, name, value))


class Plugin:
    """Classes made at run time, instances of them, and what waits on their behalf."""

    def __init__(self, application, number):
        self.application, self.number = application, number
        self.kinds = enum.Enum("Kind%d" % number, "MENU PANEL TOOL SERVICE FILTER")
        self.event = dataclasses.make_dataclass(
            "Event%d" % number,
            [("kind", self.kinds), ("source", object), ("data", dict, dataclasses.field(default_factory=dict))],
            order=True,
        )
        self.position = collections.namedtuple("Position%d" % number, "x y z")
        self.classes = list(self.derived())
        self.components = []
        self.tasks = []
        self.queue = asyncio.Queue()
        self.handle = functools.singledispatch(self.unknown)
        self.handle.register(self.event, self.known)

    def derived(self):
        """A tree of classes, each with methods and properties of its own."""
        bases = [Component]
        for level, kind in enumerate(self.kinds):
            base = bases[level // 2]
            name = "%s%d" % (kind.name.title(), self.number)
            bases.append(Registered(name, (base,), self.members(kind, level)))
            yield bases[-1]

    def members(self, kind, level):
        """The members of a class: closures over what it is made for."""
        limit = 10 * (level + 1)

        def apply(component, event):
            component.hear(event.source, kind.name, event.data)
            return self.position(level, limit, len(component.parts))

        def described(component):
            return "%s of %s" % (kind.name, component.title)

        @functools.lru_cache(maxsize=16)
        def found(component, name):
            return [part for part in component.parts if part.title == name]

        return {
            "apply": apply,
            "described": property(described),
            "found": found,
            "weight": Checked(lambda value: 0 <= value < limit),
            "made_by": classmethod(lambda cls: (cls, self)),
        }

    def populate(self):
        """Components that contain one another and listen to one another."""
        for number in range(INSTANCES):
            made = self.classes[number % len(self.classes)](self, "component %d" % number)
            made.weight = number % 10
            if self.components:
                around = self.components[number // 2]
                around.parts.append(made)
                around.changed.connect(made.hear)
                made.changed.connect(lambda *message, to=around: to.hear(*message))
            made.title = "part %d" % number
            made.found("part %d" % (number + 1))
            self.components.append(made)

    def unknown(self, event):
        return None

    def known(self, event):
        return [component.apply(event) for component in self.components[:3]]

    def walk(self):
        """A generator over all parts, each before its own."""
        pending = self.components[:1]
        while pending:
            component = pending.pop()
            yield component
            pending.extend(component.parts)

    @contextlib.asynccontextmanager
    async def active(self):
        self.application.plugins.append(self)
        try:
            yield self.walk()
        finally:
            self.application.plugins.remove(self)

    async def work(self, started):
        async with self.active() as walk:
            first = next(walk)
            event = self.event(self.kinds.TOOL, first, {"walk": walk, "started": started})
            self.handle(event)
            started.set()
            while True:
                self.handle(await self.queue.get())


class Application:
    """All plugins, and the tasks that run them."""

    def __init__(self):
        self.plugins = []
        self.by_name = weakref.WeakValueDictionary()
        self.signals = collections.defaultdict(Signal)


async def run():
    application = Application()
    started = []
    for number in range(PLUGINS):
        plugin = Plugin(application, number)
        plugin.populate()
        application.by_name["plugin %d" % number] = plugin
        application.signals[number % 7].connect(plugin.known)
        started.append(asyncio.Event())
        plugin.tasks = [asyncio.create_task(plugin.work(started[-1])) for _ in range(2)]
    for event in started:
        await event.wait()
    capture()
    tasks = [task for plugin in set(application.plugins) for task in plugin.tasks]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


asyncio.run(run())
