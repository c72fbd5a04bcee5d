"""Parses the text of the option --order into nodes."""

import re

from .safetensors_file import Problem


class Node:
    """A word of the option --order. `inner` is the list of nodes within the parentheses after the word, or None if there are no
    parentheses."""

    def __init__(self, word, inner=None):
        self.word, self.inner = word, inner

    def words(self):
        return [self.word] if self.inner is None else [word for node in self.inner for word in node.words()]

    def text(self):
        return self.word if self.inner is None else f"{self.word}({','.join(node.text() for node in self.inner)})"

    def star(self):
        """Returns the first name that contains a *, up to and including the *, or None if no name contains one."""
        return next((word[: word.index("*") + 1] for word in self.words() if "*" in word), None)

    def with_index(self, index):
        return Node(self.word.replace("*", index), self.inner and [node.with_index(index) for node in self.inner])


def parse(text):
    """Returns the nodes of a value of --order such as a,residual(b,c),mean."""
    tokens = re.findall(r"[^\s,()]+|[(),]", text)

    def nodes(closing):
        found = []
        while True:
            if not tokens or tokens[0] in "(),":
                raise Problem(
                    f"--order: found {tokens[0] if tokens else 'the end'}, wanted a layer after "
                    f"{found[-1].word if found else 'the beginning'}"
                )
            node = Node(tokens.pop(0))
            if tokens and tokens[0] == "(":
                tokens.pop(0)
                node.inner = nodes(True)
            found.append(node)
            token = tokens.pop(0) if tokens else None
            if token == (")" if closing else None):
                return found
            if token != ",":
                raise Problem(
                    f"--order: found {token or 'the end'} after {node.word}, wanted a comma{' or )' if closing else ''}"
                )

    return nodes(False)
