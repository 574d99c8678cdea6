"""Run the agent: `python -m pims_adapters._agent.agent --server URL --token-file FILE --source NAME:ADDRESS`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

from pims_adapters._agent.agent.folder import Folder, FolderTaken
from pims_adapters._agent.agent.line import AnotherSpeaks, Line, LineError, NotFitting, TokenRefused, VersionRefused
from pims_adapters._agent.agent.run import Agent
from pims_adapters._agent.agent.sources import open_source
from pims_adapters.contract import PimsError

USAGE, TOKEN, VERSION, FITTING, PIMS, FOLDER, ANOTHER, LINE = 2, 3, 4, 5, 6, 7, 8, 9
EXIT_CODES: tuple[tuple[type[Exception], int], ...] = (
    (TokenRefused, TOKEN),
    (VersionRefused, VERSION),
    (NotFitting, FITTING),
    (AnotherSpeaks, ANOTHER),
    (LineError, LINE),
    (PimsError, PIMS),
    (FolderTaken, FOLDER),
)
HOME = ("localhost", "127.0.0.1", "::1")


class Wrong(Exception):
    """What was entered cannot work; the message says what to enter."""


def main(arguments: list[str] | None = None) -> None:
    """Speak for the PIMS until told to stop; what goes wrong for good is one sentence and an exit code."""
    asked = _arguments(arguments)
    logging.basicConfig(level=asked.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would write addresses
    try:
        asyncio.run(_run(asked))
    except Wrong as error:
        _end(USAGE, str(error))
    except OSError as error:
        _end(FOLDER, f"The folder {asked.folder} cannot be written to ({error.strerror}).")
    except (LineError, PimsError, FolderTaken) as error:
        _end(exit_code(error), str(error))


def exit_code(error: Exception) -> int:
    """Return how the command ends for what stands in its way."""
    return next(code for type_, code in EXIT_CODES if isinstance(error, type_))


async def _run(asked: argparse.Namespace) -> None:
    async with AsyncExitStack() as stack:
        line = Line(_server(asked.server), _token(asked.token_file))
        stack.push_async_callback(line.close)
        source = open_source(asked.source)
        stack.push_async_callback(source.close)
        folder = _folder(asked.folder)
        stack.callback(folder.close)
        agent = Agent(line, source, folder)
        stack.callback(agent.close)
        if asked.once:
            await agent.run_once()
        else:
            _stop_when_told(agent)
            await agent.run()


def _stop_when_told(agent: Agent) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Windows has no handlers in its loops, and calls these ones in the main thread.
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(agent.stop))


def _server(url: str) -> str:
    address = urlsplit(url)
    if address.scheme == "https" or (address.scheme == "http" and address.hostname in HOME):
        return url
    raise Wrong(f"The server's address must begin with https://, unlike {url!r}.")


def _token(file: Path) -> str:
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Wrong(f"The token file {file} cannot be read ({type(error).__name__}).") from None
    if not token:
        raise Wrong(f"The token file {file} is empty; put the token there that the practice was shown.")
    return token


def _folder(path: Path) -> Folder:
    try:
        return Folder(path)
    except OSError as error:
        raise FolderTaken(f"The folder {path} cannot be used ({type(error).__name__}).") from None


def _end(code: int, sentence: str) -> None:
    print(sentence, file=sys.stderr)  # noqa: T201 - for whoever started it
    sys.exit(code)


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pims_adapters._agent.agent", description=__doc__)
    parser.add_argument("--server", required=True, help="where vetslot is: https://…")
    parser.add_argument("--token-file", required=True, type=Path, help="a file that holds the agent's token")
    parser.add_argument("--source", required=True, help="the practice system and where it is: simulator:http://…")
    parser.add_argument("--folder", type=Path, default=Path("vetslot-agent"), help="where it keeps its journal")
    parser.add_argument("--once", action="store_true", help="push what is new, do what is to be done, and leave")
    parser.add_argument("--log-level", choices=("debug", "info", "warning"), default="info")
    return parser.parse_args(given)


if __name__ == "__main__":
    main()
