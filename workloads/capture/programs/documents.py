"""An editor of documents: it parses three of them into DOM trees, indexes them, and has edited them.

Every node of a tree knows its parent, its siblings and its document; indexes, selections and the
callbacks of listeners refer to nodes from outside, and what was cut is kept for undoing. Captured
when all edits are made. Capture it with --own, so that the graph holds the documents and what works
on them.
"""

import collections
import functools
import random
import weakref
import xml.dom.minidom

WORDS = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho".split()
SECTIONS = {"manual": 60, "catalogue": 90, "minutes": 40}


class Editor:
    """An open document: its tree, an index, listeners, a selection, and what can be undone."""

    def __init__(self, name, text):
        self.name = name
        self.tree = xml.dom.minidom.parseString(text)
        self.by_name = collections.defaultdict(list)
        self.by_identity = {}
        self.listeners = {}
        self.labels = weakref.WeakKeyDictionary()
        self.undo = []
        self.selection = None
        for element in self.tree.getElementsByTagName("*"):
            self.by_name[element.tagName].append(element)
            if element.hasAttribute("id"):
                self.by_identity[element.getAttribute("id")] = element

    def listen(self, element, event):
        """A listener is a closure that knows its element and this editor."""

        def changed(to):
            self.undo.append((element, event, to))
            self.selection = Selection(self, element)

        self.listeners.setdefault(element.getAttribute("id"), {})[event] = changed
        self.labels[element] = functools.partial(changed, "by label")

    def cut(self, element):
        """Takes an element out of the tree and keeps it, with where it was."""
        parent, before = element.parentNode, element.nextSibling
        parent.removeChild(element)
        self.undo.append((parent, before, element))

    def copy(self, element):
        """Puts a copy of an element behind it."""
        element.parentNode.insertBefore(element.cloneNode(deep=True), element.nextSibling)


class Selection:
    """A range of nodes in an editor."""

    def __init__(self, editor, element):
        self.editor = editor
        self.first = element.firstChild
        self.last = element.lastChild
        self.around = [element]
        while self.around[-1].parentNode is not None:
            self.around.append(self.around[-1].parentNode)


def written(chance, name, sections):
    """The text of a document."""
    lines = ['<%s version="1">' % name]
    for section in range(sections):
        lines.append('<section id="s%d" level="%d"><title>%s</title>' % (section, chance.randint(1, 3), some(chance, 3)))
        for paragraph in range(chance.randint(2, 9)):
            kind = chance.choice(["plain", "note", "list", "table"])
            lines.append('<p id="s%d-p%d" class="%s">%s' % (section, paragraph, kind, some(chance, 8)))
            for _ in range(chance.randint(0, 4)):
                lines.append('<em>%s</em> %s <a href="#s%d">%s</a>' % (some(chance, 1), some(chance, 2), chance.randrange(sections), some(chance, 1)))
            lines.append("</p>")
        lines.append("</section>")
    lines.append("</%s>" % name)
    return "\n".join(lines)


def some(chance, count):
    return " ".join(chance.choice(WORDS) for _ in range(count))


def edit(chance, editor):
    """Some listeners, some cuts, some copies."""
    paragraphs = editor.by_name["p"]
    for element in paragraphs[::3]:
        editor.listen(element, "input")
    for element in paragraphs[1::3]:
        editor.listen(element, "focus")
        editor.listeners[element.getAttribute("id")]["focus"]("now")
    for element in chance.sample(paragraphs, len(paragraphs) // 10):
        editor.cut(element)
    for section in editor.by_name["section"][::5]:
        editor.copy(section)


chance = random.Random(7)
editors = {name: Editor(name, written(chance, name, sections)) for name, sections in SECTIONS.items()}
for editor in editors.values():
    edit(chance, editor)
