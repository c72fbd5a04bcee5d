#!/usr/bin/env python3
"""Checks that mkdocs builds the site without a warning, that every page of docs is in the navigation, and that every link
within the site leads to a file of the site.

  site.py
"""
import html.parser
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SKIPPED = 77


class Links(html.parser.HTMLParser):
    """The links of an HTML page, and its anchors, to which links of any page may lead."""

    def __init__(self, text):
        super().__init__()
        self.links, self.places = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.places |= {attributes.get("id"), attributes.get("name")} - {None}
        self.links += [attributes[key] for key in ("href", "src") if attributes.get(key)]


def broken_links(site):
    pages = {path: Links(path.read_text()) for path in site.rglob("*.html") if path.name != "404.html"}
    for path, page in pages.items():
        for link in page.links:
            url = urllib.parse.urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (path.parent / urllib.parse.unquote(url.path)).resolve() if url.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.is_file():
                yield f"{path.relative_to(site)}: {link}: no such file"
            elif url.fragment and target in pages and url.fragment not in pages[target].places:
                yield f"{path.relative_to(site)}: {link}: no such heading"


def main():
    mkdocs = shutil.which("mkdocs")
    if not mkdocs:
        print("skipped: no mkdocs on this machine")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="krait_site_") as folder:
        site = pathlib.Path(folder).resolve()
        command = [mkdocs, "build", "--strict", "--config-file", ROOT / "mkdocs.yml", "--site-dir", site]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wrong = [done.stdout] if done.returncode != 0 else list(broken_links(site))
        pages = sorted(path.stem for path in (ROOT / "docs").glob("*.md") if path.stem != "index")
        wrong += [f"docs/{page}.md: not on the site" for page in pages if not (site / page / "index.html").is_file()]
        navigation = (ROOT / "mkdocs.yml").read_text()
        wrong += [f"docs/{page}.md: not in mkdocs.yml's nav" for page in pages if f" {page}.md\n" not in navigation]
        print(f"{len(pages) + 1} pages", *wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
