"""The code interpreter as callers of the service and turns use it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import grpc.aio
import pytest
import pytest_asyncio

from llamastack.common.v1.content_pb2 import Attachment, Url
from llamastack.common.v1.tool_pb2 import ToolDefinition
from llamastack.tools.v1 import tool_pb2
from mesh.errors import WrongState
from services.agents.tooling import AgentTool, SessionFile, ToolContext
from services.agents.tools.tool import tool_name
from tests.integration.agents.tools.serving import COMPLETED, ERROR, TIMEOUT, Served, refused, serving
from tests.integration.agents.tools.site import serving_site
from tests.integration.agents.tools.test_apis import call_of

CODE = "code_interpreter"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """Serve a code interpreter, where one can run."""
    async with serving(tmp_path_factory.mktemp("code"), CODE_TIMEOUT_S="5", CODE_DISK_MIB="1") as running:
        tool = await ready(running)
        if not tool.available:
            pytest.skip(tool.unavailable_reason)
        yield running


async def ready(served: Served) -> tool_pb2.Tool:
    """Return the tool after the sandbox had its chance to start."""
    with suppress(grpc.aio.AioRpcError):
        await served.stub.RunTool(code("1"))
    return await served.stub.GetTool(tool_pb2.GetToolRequest(tool_name=tool_name(CODE)))


def code(text: str, session_id: str | None = None) -> tool_pb2.RunToolRequest:
    """Return the request to run code."""
    request = call_of(CODE, code=text)
    return tool_pb2.RunToolRequest(tool_name=request.tool_name, arguments=request.arguments, session_id=session_id)


async def told(served: Served, text: str, session_id: str | None = None) -> str:
    """Return what code told."""
    response = await served.stub.RunTool(code(text, session_id))
    return response.content.text or response.content.parts.parts[0].text


async def test_a_result_has_a_status_line_and_what_was_written(served: Served) -> None:
    response = await served.stub.RunTool(code("import sys\nprint('a')\nprint('b', file=sys.stderr)"))
    assert response.content.text == "completed\n[stdout]\na\n[/stdout]\n[stderr]\nb\n[/stderr]"
    assert (response.status, response.clipped, response.tool_name) == (COMPLETED, False, tool_name(CODE))
    assert await told(served, "x = 1") == "completed"


async def test_an_error_and_an_end_of_time_are_told(served: Served) -> None:
    failed = await served.stub.RunTool(code("1 / 0"))
    assert (failed.status, failed.content.text.splitlines()[0]) == (ERROR, "error")
    assert failed.content.text.endswith("ZeroDivisionError: division by zero\n[/stderr]")
    late = await served.stub.RunTool(code("print('a', flush=True)\nwhile True:\n    pass"))
    assert late.status == TIMEOUT
    told = "[stderr]\nended: the code ran for more than 5 s\n[/stderr]"
    assert late.content.text == f"timeout\n[stdout]\na\n[/stdout]\n{told}"


async def test_plots_are_attachments(served: Served) -> None:
    response = await served.stub.RunTool(code("import matplotlib.pyplot as plt\nx = plt.plot([1, 2])"))
    text, plot = response.content.parts.parts
    assert (text.text, plot.attachment.mime_type) == ("completed", "image/png")
    data = base64.b64decode(plot.attachment.url.uri.removeprefix("data:image/png;base64,"))
    assert data.startswith(b"\x89PNG")


async def test_a_plot_that_is_saved_is_an_attachment_too(served: Served) -> None:
    text = "import matplotlib.pyplot as plt\nx = plt.plot([1, 2])\nplt.savefig('a.png')\nplt.close('all')"
    response = await served.stub.RunTool(code(text, "s"))
    assert len(response.content.parts.parts) == 2


async def test_files_stay_in_their_session(served: Served) -> None:
    await told(served, "with open('n.txt', 'w') as file:\n    print('42', file=file)", "one")
    assert await told(served, "print(open('/mnt/data/n.txt').read())", "one") == "completed\n[stdout]\n42\n[/stdout]"
    assert "FileNotFoundError" in await told(served, "open('n.txt')", "other")
    assert "FileNotFoundError" in await told(served, "open('n.txt')")
    await served.parts.runner.forget("default", "one")
    assert "FileNotFoundError" in await told(served, "open('n.txt')", "one")


async def test_a_session_keeps_no_more_than_its_bound(served: Served) -> None:
    assert await told(served, "with open('a', 'wb') as file:\n    x = file.write(bytes(700000))", "full") == "completed"
    assert "No space left" in await told(served, "with open('b', 'wb') as file:\n    file.write(bytes(500000))", "full")
    assert "['a', 'b']" in await told(served, "import os\nsorted(os.listdir())", "full")


async def test_attachments_are_placed_once_and_what_code_made_of_them_stays(served: Served) -> None:
    async with serving_site() as site:
        site.tell("/far.csv", b"far")
        await placed(served, site.url)


async def placed(served: Served, far: str) -> None:
    """Run code twice over an attachment from here and one from afar."""
    files = (
        SessionFile("near.txt", Attachment(url=Url(uri="data:,near"), mime_type="text/plain")),
        SessionFile("far.csv", Attachment(url=Url(uri=f"{far}/far.csv"), mime_type="text/csv")),
    )
    tool = AgentTool(ToolDefinition(tool_name=tool_name(CODE)), runs_here=True)
    context = ToolContext("default", "session", "turn", 30.0, tool, files)
    call = call_of(CODE, code="print(open('near.txt').read(), open('far.csv').read())\nopen('near.txt', 'w').close()")
    first, second = [await served.parts.runner.run(call, context) for _ in range(2)]
    assert first.response.content.text == "completed\n[stdout]\nnear far\n[/stdout]"
    assert second.response.content.text == "completed\n[stdout]\n far\n[/stdout]"
    bad = ToolContext("default", "s2", "turn", 30.0, tool, (SessionFile("../x", files[0].attachment),))
    refused = await served.parts.runner.run(call, bad)
    assert (refused.is_error, refused.response.content.text) == (
        True,
        "files: names of files without slashes are needed",
    )


async def test_variables_stay_where_the_settings_say_so(tmp_path: Path) -> None:
    async with serving(tmp_path, CODE_STATE="session", CODE_TIMEOUT_S="2") as served:
        tool = await ready(served)
        if not tool.available:
            pytest.skip(tool.unavailable_reason)
        assert await told(served, "x = 41", "one") == "completed"
        assert await told(served, "x + 1", "one") == "completed\n[stdout]\n42\n[/stdout]"
        assert "NameError" in await told(served, "x", "other")
        assert "NameError" in await told(served, "x")
        assert (await told(served, "while True:\n    pass", "one")).startswith("timeout")
        assert "NameError" in await told(served, "x", "one")


async def test_without_a_sandbox_the_tool_is_not_available(tmp_path: Path) -> None:
    async with serving(tmp_path, SANDBOX="off") as served:
        error = await refused(served.stub.RunTool(code("1")))
        tool = await served.stub.GetTool(tool_pb2.GetToolRequest(tool_name=tool_name(CODE)))
    assert isinstance(error, WrongState)
    assert error.message == "the code interpreter is not available: it is switched off by the setting SANDBOX"
    assert (tool.available, tool.unavailable_reason) == (
        False,
        "no sandbox can run here: it is switched off by the setting SANDBOX",
    )
