"""The site is made of the tree's Markdown, strictly; what comes out is read link by link."""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
READ_BY_BROWSERS = {"script", "img", "iframe", "source", "link"}

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


class Page(HTMLParser):
    """What a page links to, what a browser fetches to show it, and where one can link into it."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors = {""}
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors.update(found[name] for name in ("id", "name") if name in found)
        address = found.get("href") or found.get("src")
        if address and tag in READ_BY_BROWSERS:
            self.fetched.append(address)
        elif address:
            self.links.append(address)


def make(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Make a site as CONTRIBUTING.md says, of a tree."""
    strictly = ("-q", "-W", "--keep-going", "-n")
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *strictly, "-c", str(ROOT / "docs"), source, site],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    made = make(ROOT, folder)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {file: Page(file) for file in site.rglob("*.html")}


def test_every_page_of_the_tree_is_on_the_site(pages: dict[Path, Page], site: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "*.md", "docs/**.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    wanted = {site / Path(line).with_suffix(".html") for line in tracked.stdout.splitlines()}
    assert wanted - set(pages) == set()
    assert site / "index.html" in pages


def test_every_link_of_the_site_leads_somewhere(pages: dict[Path, Page]) -> None:
    assert sum(len(page.links) for page in pages.values()) > 1000
    dead = [
        f"{file.name}: {link}"
        for file, page in pages.items()
        for link in [*page.links, *page.fetched]
        if not leads_somewhere(link, file, pages)
    ]
    assert dead == []


def leads_somewhere(link: str, file: Path, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme:
        return parts.scheme in {"http", "https"}
    there = (file.parent / unquote(parts.path)).resolve() if parts.path else file
    if there.suffix == ".html" and there in pages:
        return unquote(parts.fragment) in pages[there].anchors
    return there.is_file()


def test_pages_fetch_nothing_from_the_internet(pages: dict[Path, Page], site: Path) -> None:
    fetched = {address for page in pages.values() for address in page.fetched}
    assert fetched
    assert [address for address in fetched if urlsplit(address).netloc] == []
    styles = [file for file in site.rglob("*.css") if "url(http" in file.read_text()]
    assert styles == []


def test_pictures_are_drawn_into_the_page(site: Path) -> None:
    page = (site / "docs" / "architecture.html").read_text()
    (phases,) = [one for one in page.split("<svg") if 'roledescription="stateDiagram"' in one]
    assert "RollingBack" in phases
    assert "[*]" not in page


@pytest.mark.parametrize("link", ["docs/nowhere.md", "README.md#no-such-heading"])
def test_a_link_that_leads_nowhere_ends_the_making(link: str, tmp_path: Path) -> None:
    tree, folder = tmp_path / "tree", tmp_path / "site"
    tree.mkdir()
    (tree / "README.md").write_text(f"# A page\n\n[gone]({link})\n")
    made = make(tree, folder)
    assert made.returncode != 0
    assert link.rpartition("#")[2] in made.stderr
