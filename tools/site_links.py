"""A hook of mkdocs: files of the repository that a page links to, but that are not in docs/, become part of the site.

Pages link to `../examples/x.cpp`, so that the links work on a forge and in an editor. mkdocs only follows links within docs/.
"""
import pathlib
import re

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = "repository"
LINK = re.compile(r"\]\(\.\./([\w./-]+)((?:#[\w-]+)?)\)")


def linked_file(name):
    """Returns the file that a link to `name` leads to on the site: `name` itself if it is a file, the README.md or meson.build
    of a folder, or None."""
    path = ROOT / name
    if not path.is_dir():
        return name if path.is_file() else None
    names = ["README.md", "meson.build"]
    return next((f"{name.rstrip('/')}/{file}" for file in names if (path / file).is_file()), None)


def site_path(name):
    """Returns the path on the site of the repository's text file `name`, with an ending that browsers display."""
    return f"{FOLDER}/{name}" + ("" if name.endswith(".svg") else ".txt")


def on_files(files, config):
    names = set()
    for page in files.documentation_pages():
        text = pathlib.Path(page.abs_src_path).read_text()
        names |= {linked_file(name) for name, _ in LINK.findall(text)} - {None}
    for name in sorted(names):
        file = File(site_path(name), config["docs_dir"], config["site_dir"], config["use_directory_urls"])
        file.abs_src_path = str(ROOT / name)
        files.append(file)
    return files


def on_page_markdown(markdown, page, config, files):
    depth = page.file.src_path.count("/")

    def target(match):
        name = linked_file(match[1])
        return f"]({'../' * depth}{site_path(name)})" if name else match[0]

    return LINK.sub(target, markdown)
