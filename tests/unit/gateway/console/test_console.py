"""The files of the console."""

from __future__ import annotations

import re

from gateway import console, docs
from gateway.app import load_contract

FILES = {asset.path: asset.read().decode() for asset in console.assets()}
SCRIPT = FILES["/console/console.js"]


def test_the_page_is_the_root_and_its_files_lie_under_console() -> None:
    assert list(FILES) == ["/", "/console/console.css", "/console/console.js"]


def test_every_file_that_is_named_is_there_and_nothing_comes_from_elsewhere() -> None:
    named = set(re.findall(r'(?:href|src)="(/[^"]*)"', FILES["/"])) | set(re.findall(r'from "([^"]+)"', SCRIPT))
    served = FILES.keys() | {asset.path for asset in docs.assets()} | {"/openapi.json"}
    assert named <= served
    assert not re.search(r"https?://", "".join(FILES.values()))


def test_every_path_that_is_asked_is_one_of_the_contracts_or_of_the_gateway() -> None:
    asked = set(re.findall(r'(?:ask|fetch)\("([^"]+)"', SCRIPT))
    routed = {rule.template for rpc in load_contract().rpcs.values() for rule in rpc.rules}
    assert asked == {"/readyz", "/models/list", "/inference/chat_completion"}
    assert asked - {"/readyz"} <= routed


def test_every_element_that_the_script_uses_is_on_the_page() -> None:
    assert set(re.findall(r'\bat\("([^"]+)"\)', SCRIPT)) <= set(re.findall(r'id="([^"]+)"', FILES["/"]))


def test_no_text_is_read_as_markup() -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", SCRIPT)
