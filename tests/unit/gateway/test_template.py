"""Path templates are those of google.api.http."""

from __future__ import annotations

import pytest

from gateway.template import TemplateError, compile_template


@pytest.mark.parametrize(
    ("template", "path", "variables"),
    [
        ("/a/b", "/a/b", {}),
        ("/a/*", "/a/x", {}),
        ("/a/**", "/a/x/y", {}),
        ("/a/{id}", "/a/x", {"id": "x"}),
        ("/a/{id}", "/a/x%2Fy%20z", {"id": "x/y z"}),
        ("/a/{id}", "/a/%E2%82%AC", {"id": "€"}),
        ("/a/{id=*}/b", "/a/x/b", {"id": "x"}),
        ("/a/{id=**}", "/a/x/y", {"id": "x/y"}),
        ("/a/{id=**}", "/a/x%2Fy/z%20", {"id": "x%2Fy/z "}),
        ("/a/{x.y=b/*/c/**}", "/a/b/1/c/2/3", {"x.y": "b/1/c/2/3"}),
        ("/{a}/{b}:run", "/1/2:run", {"a": "1", "b": "2"}),
        ("/{a=x/*}:run", "/x/2:run", {"a": "x/2"}),
        ("/v1/models.list", "/v1/models.list", {}),
    ],
)
def test_a_path_that_fits_gives_its_variables(template: str, path: str, variables: dict[str, str]) -> None:
    assert compile_template(template).match(path) == variables


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/a/b", "/a/b/c"),
        ("/a/{id}", "/a/"),
        ("/a/{id}", "/a/x/y"),
        ("/a/{id}/b", "/a/x/c"),
        ("/a/{id=b/*}", "/a/c/x"),
        ("/{a}:run", "/x"),
        ("/{a}:run", "/x:walk"),
        ("/v1/models.list", "/v1/models-list"),
    ],
)
def test_another_path_does_not_fit(template: str, path: str) -> None:
    assert compile_template(template).match(path) is None


@pytest.mark.parametrize(
    "template", ["a/b", "/a/{id", "/a/{}", "/a/{id=}", "/a//b", "/a/**/b", "/a/x*", "/a/{1x}", "/a/{id}x", "/a/"]
)
def test_what_is_not_of_the_grammar_is_refused(template: str) -> None:
    with pytest.raises(TemplateError):
        compile_template(template)


def test_templates_without_variables_are_literals() -> None:
    texts = ["/a/b", "/a/*", "/a/{b}", "/", "/a:b"]
    assert [compile_template(text).literal for text in texts] == ["/a/b", None, None, "/", "/a:b"]
