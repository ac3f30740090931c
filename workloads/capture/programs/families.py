"""A small program for tests: families whose members know their parents, children and partners.

Capture it with --own, so that the graph holds the families alone.
"""


class Person:
    """Someone with a name, parents, children, and perhaps a partner."""

    def __init__(self, name, *parents):
        self.name = name
        self.parents = parents
        self.children = []
        self.partner = None
        for parent in parents:
            parent.children.append(self)


def family(name):
    """Two people, their children, their children's partners and the grandchildren."""
    first, second = Person("first " + name), Person("second " + name)
    first.partner, second.partner = second, first
    for number in range(3):
        child = Person("%s, child %d" % (name, number), first, second)
        if number > 0:
            partner = Person("partner of " + child.name)
            child.partner, partner.partner = partner, child
            Person("child of " + child.name, child, partner)
    return first


families = {name: family(name) for name in map(str, range(20))}
