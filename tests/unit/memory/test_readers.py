"""Reading text out of documents, also of those that are made to take long."""

from __future__ import annotations

import zipfile
from io import BytesIO

import pytest

from mesh.errors import InvalidField
from services.memory.readers.binary import read_docx
from services.memory.readers.html import read_html
from services.memory.readers.markdown import read_markdown
from services.memory.readers.plain import read_rows


def test_cells_of_a_row_are_apart_and_a_row_is_a_paragraph() -> None:
    page = b"<table><tr><th>Name<th>Sound<tr> <td>cat<td><b>me</b>ow<tr><td><td>bark</table>after"
    assert read_html(page).text == "Name | Sound\n\ncat | meow\n\nbark\n\nafter\n\n"


@pytest.mark.timeout(20)
def test_a_row_of_very_many_cells_is_read_in_no_more_than_their_time() -> None:
    assert read_html(b"<table><tr>" + b"<td>a" * 150_000).text == " | ".join("a" * 150_000) + "\n\n"


def test_the_text_of_a_box_in_a_letter_is_read_once() -> None:
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    other = "http://schemas.openxmlformats.org/markup-compatibility/2006"
    box = "<w:txbxContent><w:p><w:r><w:t>in a box</w:t></w:r></w:p></w:txbxContent>"
    both = f"<m:AlternateContent><m:Choice>{box}</m:Choice><m:Fallback>{box}</m:Fallback></m:AlternateContent>"
    xml = f"""<w:document xmlns:w="{word}" xmlns:m="{other}"><w:body><w:p>
      <w:r><w:t>Before</w:t><w:tab/>{both}</w:r><w:r><w:t>after</w:t></w:r></w:p></w:body></w:document>"""
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("word/document.xml", xml)
    assert read_docx(file.getvalue())["text"] == "Before after\n\nin a box\n\n"


def test_a_table_whose_rows_repeat_long_names_is_refused() -> None:
    with pytest.raises(InvalidField, match="the table has too much text, with the names of its columns in each row"):
        read_rows(b"h" * 100_000 + b"\n" + b"x\n" * 1000, ",")


def test_headings_are_told_with_any_ends_of_lines_and_long_ones_are_cut() -> None:
    text = "# A #\r\n```\r\n# code\r\n```\r\n   ## B\r# C\n#no\n    # no\n" + f"## {'x' * 300}\n"
    offsets = [text.index(line) for line in ("# A", "   ## B", "# C", "## x")]
    titles = ["A", "A > B", "C", f"C > {'x' * 256}\u2026"]
    assert list(read_markdown(text).sections) == list(zip(offsets, titles, strict=True))


def test_more_headings_than_anybody_writes_are_refused() -> None:
    with pytest.raises(InvalidField, match="at most 100000 headings are taken"):
        read_markdown("# a\n" * 100_001)
