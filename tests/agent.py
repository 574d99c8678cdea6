"""The reference agent as a test meets it: a process that can be killed, or a task whose parts are at hand."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx

from pims_adapters._agent.agent.calls import SURE_AFTER
from pims_adapters._agent.agent.folder import Folder
from pims_adapters._agent.agent.line import Line
from pims_adapters._agent.agent.run import Agent
from pims_adapters._agent.agent.simulator import SimulatorSource
from tests.clinic import Simulator

ROOT = Path(__file__).parent.parent


@asynccontextmanager
async def opened_agent(
    server: str,
    token: str,
    clinic: Simulator,
    folder: Path,
    *,
    source_timeout: float = 2,
    transport: httpx.AsyncBaseTransport | None = None,
    sure_after: float = SURE_AFTER.total_seconds(),
) -> AsyncIterator[Agent]:
    """Open an agent in this process, with a folder of its own, and run nothing of it."""
    line, source = Line(server, token, transport=transport), SimulatorSource(clinic.url, timeout=source_timeout)
    kept = Folder(folder)
    agent = Agent(line, source, kept, sure_after=timedelta(seconds=sure_after))
    try:
        yield agent
    finally:
        await line.close()
        await source.close()
        agent.close()
        kept.close()


@asynccontextmanager
async def agent_task(
    server: str,
    token: str,
    clinic: Simulator,
    folder: Path,
    *,
    source_timeout: float = 2,
    transport: httpx.AsyncBaseTransport | None = None,
    sure_after: float = SURE_AFTER.total_seconds(),
) -> AsyncIterator[Agent]:
    """Run an agent in this process until the block is left; it says goodbye then."""
    opened = opened_agent(
        server, token, clinic, folder, source_timeout=source_timeout, transport=transport, sure_after=sure_after
    )
    async with opened as agent:
        task = asyncio.create_task(agent.run())
        try:
            yield agent
            if task.done():
                task.result()
        finally:
            agent.stop()
            await asyncio.wait([task])


@dataclass
class AgentProcess:
    """An agent in a process of its own; `start` it again after `kill`, as a service manager would."""

    command: list[str]
    output: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.output.open("ab") as said:
            self.process = subprocess.Popen(self.command, cwd=ROOT, stdout=said, stderr=said)

    def kill(self) -> None:
        """End it at once, as kill -9 does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(20)

    def wait(self, seconds: float = 30) -> int:
        """Wait until it ends by itself; its exit code."""
        assert self.process is not None
        return self.process.wait(seconds)

    def said(self) -> str:
        return self.output.read_text()


@contextmanager
def agent_process(
    server: str, token: str, clinic: Simulator, folder: Path, *, options: str = ""
) -> Iterator[AgentProcess]:
    """Start an agent in a process of its own, and kill what is left of it in the end."""
    folder.mkdir(parents=True, exist_ok=True)
    token_file = folder / "token"
    token_file.write_text(token)
    command = [sys.executable, "-m", "pims_adapters._agent.agent", f"--server={server}", f"--token-file={token_file}"]
    command += [f"--source=simulator:{clinic.url}", f"--folder={folder / 'state'}", *options.split()]
    agent = AgentProcess(command, folder / "output.txt")
    agent.start()
    try:
        yield agent
    finally:
        with suppress(ProcessLookupError):
            agent.kill()
