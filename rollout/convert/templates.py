"""Templates of metrics in the input, and which of them are used."""

from dataclasses import dataclass, field

from rollout.convert.documents import Document, together
from rollout.convert.ledger import Ledger, Source


@dataclass
class Templates:
    """The templates of the input, and which of them a Rollout or Canary uses."""

    documents: list[Document]
    used: set[int] = field(default_factory=set)
    ledgers: list[Ledger] = field(default_factory=list)
    """One for each use of a template: another user may give it other arguments."""

    def named(self, kind: str, name: str, namespace: str) -> Document | None:
        """Find a template; an empty namespace is any."""
        for document in self.documents:
            if (document.kind, document.name) == (kind, name) and together(
                document.namespace, namespace
            ):
                return document
        return None

    def opened(self, document: Document) -> Source:
        """Open a template for one use of it."""
        self.used.add(id(document))
        self.ledgers.append(Ledger(document.where, document.subject, document.body))
        return Source(self.ledgers[-1], (), document.body)
