"""A server at work: many modules, tasks in an event loop, documents with parent links, caches, mail.

The service reads descriptions of standard modules as XML, keeps the documents in sessions that know
their service, answers requests from several tasks that wait for one another in queues, logs, caches,
and writes mail. Captured inside the running event loop, with all tasks suspended.
"""

import argparse
import asyncio
import collections
import contextvars
import dataclasses
import decimal
import email.message
import email.policy
import functools
import inspect
import json
import logging
import logging.handlers
import sqlite3
import unittest
import unittest.mock
import xml.dom.minidom
import xml.etree.ElementTree as ElementTree

MODULES = [argparse, asyncio.events, collections, decimal, inspect, json, logging, sqlite3, unittest.case]
log = logging.getLogger("service")
log.addHandler(logging.handlers.MemoryHandler(100_000))
log.setLevel(logging.INFO)
log.propagate = False
user = contextvars.ContextVar("user")


@dataclasses.dataclass
class Request:
    session: "Session"
    number: int
    query: str
    reply: asyncio.Future = None


class Session:
    """A user's session: a document, a history and a way back to the service."""

    def __init__(self, service, name, module):
        self.service = service
        self.name = name
        self.document = xml.dom.minidom.parseString(described(module))
        self.settings = json.loads(json.dumps({"user": name, "theme": {"dark": True, "size": 11.5}}))
        self.history = []
        self.on_reply = functools.partial(self.replied, "by callback")

    def replied(self, how, request):
        self.history.append((how, request))
        log.info("%s: request %d answered", self.name, request.number, extra={"request": request})


class Service:
    """The server: sessions by name, requests in a queue, mail in a list."""

    def __init__(self):
        self.sessions = {}
        self.requests = asyncio.Queue(16)
        self.mail = []
        self.served = collections.Counter()

    @functools.lru_cache(maxsize=1000)
    def find(self, name, query):
        elements = self.sessions[name].document.getElementsByTagName(query)
        return [element.getAttribute("name") for element in elements]

    async def work(self):
        while True:
            request = await self.requests.get()
            found = self.find(request.session.name, request.query)
            self.served[request.query] += 1
            message = email.message.EmailMessage(policy=email.policy.SMTP)
            message["To"] = "%s@example.org" % request.session.name
            message["Subject"] = "%d results for %s" % (len(found), request.query)
            message.set_content("\n".join(found[:5]) or "none")
            self.mail.append(message)
            request.session.on_reply(request)
            request.reply.set_result(found)

    async def visit(self, session, answered):
        user.set(session.name)
        queries = ["function", "class", "parameter", "text"]
        for number in range(12):
            request = Request(session, number, queries[number % 4])
            request.reply = asyncio.get_running_loop().create_future()
            await self.requests.put(request)
            await request.reply
        answered.set()
        await asyncio.Event().wait()


def described(module):
    """The public names of a module, their parameters and first lines, as XML."""
    root = ElementTree.Element("module", name=module.__name__)
    describe(module, root, 2)
    return ElementTree.tostring(root)


def describe(thing, parent, depth):
    for name, value in sorted(vars(thing).items(), key=lambda pair: pair[0]):
        if not callable(value) or name.startswith("__"):
            continue
        element = ElementTree.SubElement(parent, "class" if inspect.isclass(value) else "function", name=name)
        text = ElementTree.SubElement(element, "text")
        text.text = (inspect.getdoc(value) or "undocumented").split("\n")[0].replace("\0", "")
        try:
            for parameter in inspect.signature(value).parameters.values():
                ElementTree.SubElement(element, "parameter", name=parameter.name, kind=parameter.kind.name)
        except (ValueError, TypeError):
            pass
        if inspect.isclass(value) and depth:
            describe(value, element, depth - 1)


async def serve():
    service = Service()
    for module in MODULES:
        name = module.__name__.replace(".", "-")
        service.sessions[name] = Session(service, name, module)
    workers = [asyncio.create_task(service.work()) for _ in range(4)]
    answered = [asyncio.Event() for _ in service.sessions]
    visits = [asyncio.create_task(service.visit(*pair)) for pair in zip(service.sessions.values(), answered)]
    for event in answered:
        await event.wait()
    capture()
    for task in workers + visits:
        task.cancel()
    await asyncio.gather(*workers, *visits, return_exceptions=True)


asyncio.run(serve())
