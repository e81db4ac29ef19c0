"""How the site is made of the Markdown of this tree: `sphinx-build -W -n -c docs . build/site`.

The tree's root is the site's root, so that a link between pages, or to a file beside them, leads
to the same place here, on the site and where the repository is hosted.
"""

import shutil
from pathlib import Path

import mermaidx
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

import rollout

NAVIGATION = {
    "Start": ("docs/tutorial", "docs/first-canary", "docs/blue-green", "docs/install"),
    "Guides": (
        "docs/writing-a-policy",
        "docs/metrics",
        "docs/operations",
        "docs/runbook",
        "docs/git",
        "docs/helm",
        "docs/api",
        "docs/security",
        "docs/troubleshooting",
    ),
    "Moving here": ("docs/moving-from-argo-rollouts", "docs/moving-from-flagger"),
    "To copy from": (
        "manifests/examples/gemini-agent/README",
        "Chart of gemini-agent <manifests/charts/gemini-agent/README>",
        "Chart of the controller <manifests/charts/rollout/README>",
        "policies/README",
    ),
    "Reference": (
        "docs/rollout",
        "Commands and exit codes <docs/cli>",
        "All commands and options <docs/reference/cli>",
        "All fields of the kinds <docs/reference/kinds>",
        "All paths of the HTTP API <docs/reference/api>",
    ),
    "How it is built": ("docs/architecture", "docs/performance", "CONTRIBUTING", "CHANGELOG"),
}
"""Every page of the site by its place in the navigation; one that is left out fails the build."""

project = "rollout"
version = release = rollout.__version__
project_copyright = "the rollout authors"
extensions = ["myst_parser"]
root_doc = "README"
include_patterns = ["*.md", "docs/**.md", "policies/*.md", "manifests/**.md"]
exclude_patterns = [".*", "build", "dist", "tests", "rollout"]
myst_heading_anchors = 4  # as where the repository is hosted: a heading is its own anchor
myst_fence_as_directive = ["mermaid"]
html_theme = "furo"
html_title = f"rollout {rollout.__version__}"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False


class Mermaid(Directive):
    """A picture, drawn when the site is made: a page asks nobody for a program that draws it."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Draw it on white, which its lines are made for, also where the page is dark."""
        drawing = mermaidx.render("\n".join(self.content)).svg()
        frame = f'<div style="background: white; overflow-x: auto">{drawing}</div>'
        return [nodes.raw("", frame, format="html")]


def setup(app: Sphinx) -> None:
    """Add to the generator what Markdown cannot say."""
    app.add_directive("mermaid", Mermaid)
    app.connect("source-read", add_navigation)
    app.connect("build-finished", open_with_readme)


def add_navigation(_: Sphinx, page: str, source: list[str]) -> None:
    """Put the navigation behind the README, which is read in many places that know no sites."""
    if page == root_doc:
        for caption, pages in NAVIGATION.items():
            entries = "\n".join(pages)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n"


def open_with_readme(app: Sphinx, error: Exception | None) -> None:
    """Show the README to somebody who opens the folder or the address of the site."""
    folder = Path(app.outdir)
    if error is None and (folder / f"{root_doc}.html").exists():
        shutil.copy(folder / f"{root_doc}.html", folder / "index.html")
