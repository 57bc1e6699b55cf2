"""The files of the documentation page."""

from __future__ import annotations

import re

from gateway.docs import assets

FILES = {asset.path: asset.read().decode() for asset in assets()}
NAMESPACE = "http://www.w3.org/2000/svg"


def test_the_page_comes_first_and_every_file_has_a_media_type() -> None:
    found = [(asset.path, asset.content_type.split(b";")[0]) for asset in assets()]

    assert found[0] == ("/docs", b"text/html")
    assert {kind for _, kind in found} == {b"text/html", b"text/css", b"text/javascript", b"image/svg+xml"}


def test_nothing_is_loaded_from_elsewhere() -> None:
    foreign = {
        (path, url)
        for path, text in FILES.items()
        for url in re.findall(r"(?:https?:)?//[a-z][\w.-]*\.\w+[\w/.-]*", re.sub(r"^\s*//.*$", "", text, flags=re.M))
        if not NAMESPACE.endswith(url.removeprefix("http:"))
    }

    assert foreign == set()


def test_every_file_that_is_named_is_there() -> None:
    named = set(re.findall(r'(?:href|src)="(/docs/[^"]+)"', FILES["/docs"]))
    for path, text in FILES.items():
        if path.endswith(".js"):
            named |= {f"/docs/{name}" for name in re.findall(r'from "\./([^"]+)"', text)}

    assert named | {"/docs"} == FILES.keys()


def test_no_text_of_the_document_is_read_as_markup() -> None:
    risky = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function")

    assert [path for path, text in FILES.items() if risky.search(text)] == []
