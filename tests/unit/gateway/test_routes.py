"""The router finds the most specific target of a path and a verb."""

from __future__ import annotations

import pytest

from gateway.routes import Found, RouteError, Router, WrongVerb


def router(*routes: tuple[str, str]) -> Router[str]:
    made: Router[str] = Router()
    for verb, path in routes:
        made.add(verb, path, f"{verb} {path}")
    return made


def test_a_slash_at_the_end_makes_no_difference() -> None:
    routes = router(("GET", "/a"), ("GET", "/b/{x}"), ("GET", "/c/"), ("GET", "/"))
    found = [routes.find("GET", path) for path in ("/a", "/a/", "/b/1", "/b/1/", "/c", "/c/", "/")]
    assert [each.target for each in found if isinstance(each, Found)] == [
        "GET /a",
        "GET /a",
        "GET /b/{x}",
        "GET /b/{x}",
        "GET /c/",
        "GET /c/",
        "GET /",
    ]


@pytest.mark.parametrize(
    ("path", "target", "variables"),
    [
        ("/a/list", "/a/list", {}),
        ("/a/other", "/a/{x}", {"x": "other"}),
        ("/a/1/b", "/a/{x}/b", {"x": "1"}),
        ("/a/1/c", "/a/{x=**}", {"x": "1/c"}),
        ("/a/1:stop", "/a/{x}:stop", {"x": "1"}),
        ("/z/1", "/{x=**}", {"x": "z/1"}),
    ],
)
def test_the_most_specific_template_wins(path: str, target: str, variables: dict[str, str]) -> None:
    templates = ["/{x=**}", "/a/{x=**}", "/a/{x}", "/a/{x}:stop", "/a/list", "/a/{x}/b"]
    routes = router(*(("GET", template) for template in templates))
    assert routes.find("GET", path) == Found(f"GET {target}", variables)


def test_verbs_of_one_path_may_name_their_variables_differently() -> None:
    routes = router(("GET", "/a/{x}"), ("PUT", "/a/{y}"), ("POST", "/a/list"))
    assert routes.find("PUT", "/a/1") == Found("PUT /a/{y}", {"y": "1"})
    assert routes.find("GET", "/a/list") == Found("GET /a/{x}", {"x": "list"})
    assert routes.find("DELETE", "/a/list") == WrongVerb("GET, HEAD, OPTIONS, POST, PUT")


def test_head_goes_where_get_goes() -> None:
    routes = router(("GET", "/a"), ("GET", "/b/{x}"), ("POST", "/c"))
    assert routes.find("HEAD", "/a") == Found("GET /a", {})
    assert routes.find("HEAD", "/b/1") == Found("GET /b/{x}", {"x": "1"})
    assert routes.find("HEAD", "/c") == WrongVerb("OPTIONS, POST")


@pytest.mark.parametrize("path", ["/%61/list", "/a/%6Cis%74", "/a/l%69st/"])
def test_letters_may_be_encoded_or_not(path: str) -> None:
    assert router(("GET", "/a/list"), ("GET", "/a/{x}")).find("GET", path) == Found("GET /a/list", {})


def test_an_encoded_slash_is_no_boundary_and_nothing_is_decoded_twice() -> None:
    routes = router(("GET", "/a/list"), ("GET", "/b/{x}"))
    assert routes.find("GET", "/a%2Flist") is None
    assert routes.find("GET", "/%2561/list") is None
    assert routes.find("GET", "/b/%2561") == Found("GET /b/{x}", {"x": "%61"})


def test_an_unknown_path_is_nothing() -> None:
    assert router(("GET", "/a"), ("GET", "/b/{x}")).find("GET", "/c/1") is None


@pytest.mark.parametrize("paths", [("/a", "/a"), ("/a", "/a/"), ("/a/{x}", "/a/{x}")])
def test_one_path_can_be_claimed_once(paths: tuple[str, str]) -> None:
    routes: Router[str] = Router()
    routes.add("GET", paths[0], "one")
    with pytest.raises(RouteError, match="GET /a"):
        routes.add("GET", paths[1], "two")
