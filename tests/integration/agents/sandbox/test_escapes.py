"""What code tries in order to get out or to do harm is contained, told, and hurts no call after it."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.errors import WrongState
from services.agents.sandbox.inside.plan import LANDLOCK, NAMESPACES
from services.agents.sandbox.sandbox import Bounds, Outcome, Sandbox, Task
from tests.integration.agents.sandbox.running import KEY, children, processes, run

pytestmark = pytest.mark.asyncio(loop_scope="module")


MANY_FORKS = """
import os, time
for _ in range(3):
    os.fork()
x = bytearray(os.urandom(1) * (120 << 20))
time.sleep(30)
"""
ONE_LARGE_FILE = """
with open("big", "wb") as file:
    while True:
        file.write(bytes(1 << 20))
"""
MANY_FILES = """
for n in range(100000):
    with open(f"{n}", "wb") as file:
        file.write(bytes(1 << 20))
"""
TWO_LINKS = """
import os
os.symlink("{victim}", "d")
os.symlink("/etc/passwd", "f")
"""
A_LINK_BESIDE_FILES = """
import os
os.symlink("/etc", "d")
print(os.path.exists("d/passwd"), open("a/b").read())
"""
SIGNAL_TO_ALL = """
import os
for pid in range(2, 400):
    try:
        os.kill(pid, 9)
    except OSError:
        pass
"""
A_CALL = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.{call}, ctypes.get_errno())
"""
FLOOD = """
import sys
while True:
    print("x" * 1000)
    print("y" * 1000, file=sys.stderr)
"""
ENDLESS = """
import signal
for number in (15, 2, 14):
    signal.signal(number, signal.SIG_IGN)
print("begun", flush=True)
while True:
    pass
"""
SPY = """
import os, time
began = time.time()
while time.time() - began < 1.5:
    for place in (".", "/tmp", "/dev/shm"):
        try:
            assert "mine" not in os.listdir(place)
        except OSError:
            pass
print("nothing")
"""
SPIED_ON = """
import time
for place in ("mine", "/tmp/mine", "/dev/shm/mine"):
    try:
        open(place, "w").write("x")
    except OSError:
        pass
time.sleep(1)
"""


async def works(sandbox: Sandbox) -> bool:
    """Return whether the next call does."""
    return (await run(sandbox, "print(6 * 7)")).stdout == "42\n"


async def attempts(sandbox: Sandbox, *codes: str) -> list[str]:
    """Run each code under a handler; return the names of the errors, or what it printed where there was none."""
    found = []
    for code in codes:
        body = "\n".join(f"    {line}" for line in code.splitlines())
        outcome = await run(sandbox, f"try:\n{body}\nexcept BaseException as e:\n    print(type(e).__name__)")
        found.append(outcome.stdout.strip() or outcome.note)
    return found


async def test_files_of_the_host_are_not_there(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("42")
    os.chmod(tmp_path, 0o755)
    names = ["/etc/passwd", "/etc/shadow", f"{tmp_path}/secret", "/root/.profile", "/proc/1/environ", __file__]
    refused = {"FileNotFoundError", "PermissionError", "NotADirectoryError"}
    assert set(await attempts(sandbox, *(f"print(open({name!r}).read())" for name in names))) <= refused


async def test_nothing_can_be_written_outside_of_the_own_folder(sandbox: Sandbox, tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o777)
    places = [f"{tmp_path}/x", "/x", "/usr/lib/x", "/opt/x", "/dev/x", "/etc/x", "/proc/sys/kernel/hostname"]
    told = await attempts(sandbox, *(f"print(open({place!r}, 'w').write('x'))" for place in places))
    assert set(told) <= {"FileNotFoundError", "PermissionError", "OSError", "NotADirectoryError"}
    assert os.listdir(tmp_path) == []


async def test_calls_share_neither_a_folder_of_devices_nor_terminals(sandbox: Sandbox) -> None:
    told = await attempts(sandbox, "print(open('/dev/x', 'w').write('x'))", "import os; print(os.openpty())")
    # a folder that is only another user's would be a PermissionError, and open to a service that is that user
    mounted = "OSError" if sandbox.walls == NAMESPACES else "PermissionError"
    assert told[0] == mounted
    assert told[1] in {"FileNotFoundError", "PermissionError", "OSError"}


async def test_keys_of_the_environment_are_not_there(sandbox: Sandbox) -> None:
    code = f"""
import os, glob
print(os.environ.get({KEY!r}), any("secret" in value for value in os.environ.values()))
for path in ("/proc/self/environ", "/proc/1/environ", f"/proc/{{os.getppid()}}/environ", *glob.glob("/proc/*/environ")):
    try:
        print(open(path).read())
    except OSError:
        pass
"""
    outcome = await run(sandbox, code)
    assert (outcome.status, outcome.stdout) == ("completed", "None False\n")


async def test_memory_of_the_process_it_came_from_has_no_key(sandbox: Sandbox) -> None:
    code = "import gc\nprint(any('very-secret' in o for o in gc.get_objects() if isinstance(o, str)))"
    assert (await run(sandbox, code)).stdout == "False\n"


async def test_there_is_no_network(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        told = await attempts(
            sandbox,
            f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)",
            "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('8.8.8.8', 53))",
            "import socket\nsocket.socket(socket.AF_UNIX).connect('\\0abstract')",
            "import socket\nprint(socket.getaddrinfo('localhost', 80, socket.AF_INET6))",
            "import urllib.request\nurllib.request.urlopen('http://example.com', timeout=2)",
        )
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert set(told) <= {"PermissionError", "gaierror", "URLError"}


async def test_a_fork_bomb_ends_with_its_call(sandbox: Sandbox) -> None:
    before = processes()
    code = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
    outcome = await run(sandbox, code, timeout_s=2)
    assert (outcome.status, outcome.alive) == ("timeout", False)
    assert await works(sandbox)
    await gone_but(before)


async def test_processes_that_are_left_behind_end_with_their_call(sandbox: Sandbox) -> None:
    before = processes()
    code = """
import os, time
try:
    if os.fork() == 0:
        os.setsid()
        os.close(1); os.close(2)
        time.sleep(600)
except PermissionError:
    pass
print("done")
"""
    assert (await run(sandbox, code)).stdout == "done\n"
    await gone_but(before)


async def test_more_memory_than_allowed_is_an_error(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "x = bytearray(2 << 30)")
    assert outcome.status == "error"
    assert outcome.stderr.endswith("MemoryError\n")
    outcome = await run(sandbox, "x = []\nwhile True:\n    x.append(bytearray(8 << 20))")
    assert outcome.status == "error"
    assert "MemoryError" in outcome.stderr or "256 MiB of memory" in outcome.note
    assert await works(sandbox)


async def test_memory_of_many_processes_counts_together(sandbox: Sandbox) -> None:
    if sandbox.walls == LANDLOCK:
        pytest.skip("there is one process alone without namespaces")
    code = (
        "import os, time\nfor _ in range(3):\n    os.fork()\nx = bytearray(os.urandom(1) * (120 << 20))\ntime.sleep(30)"
    )
    outcome = await run(sandbox, code, timeout_s=25)
    assert (outcome.status, outcome.note) == ("error", "ended: more than 256 MiB of memory were used")
    assert await works(sandbox)


async def test_a_disk_can_not_be_filled(sandbox: Sandbox) -> None:
    told = await attempts(
        sandbox, "with open('big', 'wb') as file:\n    while True:\n        file.write(bytes(1 << 20))"
    )
    assert told in (["OSError"], ["ended: more than 16 MiB of files were written"])
    outcome = await run(sandbox, MANY_FILES)
    assert outcome.status == "error"
    assert "No space left" in outcome.stderr or "16 MiB of files" in outcome.note
    assert sum(map(len, outcome.changed.values())) <= 16 << 20
    assert await works(sandbox)


async def test_links_lead_nowhere(sandbox: Sandbox) -> None:
    code = """
import os
os.symlink("/etc/passwd", "passwd.txt")
os.symlink("/etc", "etc")
os.symlink("/proc/self/environ", "environ")
os.mkfifo("pipe") if hasattr(os, "mkfifo") else None
"""
    outcome = await run(sandbox, code)
    assert outcome.changed == {}
    outcome = await run(sandbox, A_LINK_BESIDE_FILES, {"a/b": b"x"})
    assert outcome.changed == {}


async def test_links_made_before_files_are_placed_do_not_lead_out(sandbox: Sandbox, victim: str) -> None:
    line = await sandbox.connect()
    try:
        first = await line.run(run_task(TWO_LINKS.format(victim=victim)))
        assert first.status == "completed"
        with pytest.raises(EOFError):
            await line.run(run_task("print(1)", {"d/x": b"escaped", "f": b"escaped"}))
    finally:
        await line.close()
    assert os.listdir(victim) == []
    assert await works(sandbox)


@pytest.fixture
def victim() -> Iterator[str]:
    """Make a folder of the host that everybody may write into."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield folder


async def test_proc_shows_no_other_process(sandbox: Sandbox) -> None:
    told = await attempts(
        sandbox,
        "import os\nprint(os.listdir('/proc'))",
        "open('/proc/self/mem', 'rb')",
        "import os\nos.open('/proc/1/root/etc/passwd', 0)",
        "import os\nprint(open(f'/proc/{os.getppid()}/maps').read())",
    )
    assert set(told) <= {"[]", "FileNotFoundError", "PermissionError"}


async def test_signals_reach_nobody_else(sandbox: Sandbox) -> None:
    before = children()
    codes = [f"import os, signal\nos.kill({target}, signal.SIGKILL)" for target in ("os.getppid()", "-1", os.getpid())]
    await attempts(sandbox, *codes)
    outcome = await run(sandbox, SIGNAL_TO_ALL)
    assert outcome.status == "completed"
    assert await works(sandbox)
    assert children() == before


@pytest.mark.parametrize(
    "call",
    [
        "unshare(0x10000000)", "unshare(0x20000)", "mount(b'x', b'/tmp', b'tmpfs', 0, None)", "ptrace(16, 1, 0, 0)",
        "setns(0, 0)", "syscall(272, 0x10000000)", "syscall(321, 0, 0, 0)", "syscall(425, 8, 0)", "syscall(250, 0, 0)",
        "syscall(319, b'x', 0)", "syscall(310, 1, 0, 0, 0, 0, 0)", "socket(38, 5, 0)", "umount2(b'/proc', 2)",
        "chroot(b'/tmp')", "prctl(4, 1, 0, 0, 0)", "setuid(0)",
    ],
)  # fmt: skip
async def test_system_calls_that_are_not_needed_are_refused(sandbox: Sandbox, call: str) -> None:
    assert (await run(sandbox, A_CALL.format(call=call))).stdout == "-1 1\n"


async def test_a_call_stays_on_one_core(sandbox: Sandbox) -> None:
    code = "import os\nprint(len(os.sched_getaffinity(0)))\nos.sched_setaffinity(0, range(os.cpu_count()))"
    outcome = await run(sandbox, code)
    assert (outcome.status, outcome.stdout) == ("error", "1\n")
    assert outcome.stderr.endswith("PermissionError: [Errno 1] Operation not permitted\n")


async def test_only_the_own_descriptors_are_open(sandbox: Sandbox) -> None:
    code = """
import os
found = []
for number in range(1024):
    try:
        os.fstat(number)
        found.append(number)
    except OSError:
        pass
print(found)
"""
    assert (await run(sandbox, code)).stdout == "[0, 1, 2, 3, 4]\n"


async def test_who_closes_its_pipes_is_ended(sandbox: Sandbox) -> None:
    began = time.monotonic()
    outcome = await run(sandbox, "import os, time\nos.closerange(3, 5)\ntime.sleep(60)", timeout_s=50)
    assert (outcome.status, outcome.alive) == ("error", False)
    assert time.monotonic() - began < 20
    assert await works(sandbox)


async def test_a_flood_of_output_is_cut(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, FLOOD, timeout_s=1)
    assert outcome == Outcome(status="timeout", stdout=outcome.stdout, stderr=outcome.stderr, clipped=True, alive=False)
    assert (len(outcome.stdout), len(outcome.stderr)) == (4096, 4096)


async def test_an_endless_loop_ends_in_time(sandbox: Sandbox) -> None:
    began = time.monotonic()
    outcome = await run(sandbox, ENDLESS, timeout_s=1)
    assert outcome == Outcome(status="timeout", stdout="begun\n")
    assert time.monotonic() - began < 5


async def test_calls_see_nothing_of_each_other(sandbox: Sandbox) -> None:
    spied, _ = await asyncio.gather(run(sandbox, SPY), run(sandbox, SPIED_ON))
    assert (spied.status, spied.stdout) == ("completed", "nothing\n")


async def test_a_caller_who_goes_away_ends_the_call(sandbox: Sandbox) -> None:
    before = processes()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await run(sandbox, "while True:\n    pass", timeout_s=60)
    await gone_but(before)


async def test_where_no_walls_stand_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    none = Sandbox(Bounds(), (NAMESPACES,))
    await none.begin()
    assert (none.walls, none.problem) == (None, "namespaces: bubblewrap is not installed")
    with pytest.raises(WrongState, match="the code interpreter is not available: namespaces: bubblewrap is not"):
        await none.connect()
    await none.close()


def run_task(code: str, files: dict[str, bytes] | None = None) -> Task:
    """Return a task after which the interpreter lives on."""
    return Task(code, files or {}, last=False)


async def gone_but(before: set[int]) -> None:
    """Wait until there are no processes besides some."""
    async with asyncio.timeout(10):
        while processes() - before:  # noqa: ASYNC110  # the kernel tells nobody but the parent
            await asyncio.sleep(0.02)
