"""Debian's headless Chromium, driven by its chromedriver, with timeouts and a guaranteed end.

Both programs are named, so selenium downloads nothing. The profile is new and empty, and is
removed with the browser.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.remote.remote_connection import RemoteConnection

from tests.programs import needed

PROGRAMS = {"chromium": "chromium", "chromedriver": "chromium-driver"}
#: At most so long for a page to load, and for the driver to answer at all.
LOAD_S = 60
ANSWER_S = 90
END_S = 20

_WINDOW = (1200, 900)
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # it refuses to run as root with one
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    f"--window-size={_WINDOW[0]},{_WINDOW[1]}",
)


def require_chromium() -> None:
    """Skip the test where there is none; fail it where all is said to be there."""
    for name, package in PROGRAMS.items():
        needed(name, package)


@contextmanager
def chromium(profile: Path) -> Iterator[Chrome]:
    """A browser with an empty profile in this folder."""
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    service = ChromeService(executable_path=shutil.which("chromedriver"))
    driver = Chrome(options=options, service=service)
    process = psutil.Process(service.process.pid)
    try:
        executor = driver.command_executor
        assert isinstance(executor, RemoteConnection)
        executor.client_config.timeout = ANSWER_S
        driver.set_page_load_timeout(LOAD_S)
        driver.set_script_timeout(LOAD_S)
        yield driver
    finally:
        started = [process, *process.children(recursive=True)]
        with suppress(WebDriverException, OSError):
            driver.quit()
        _end(started)


def _end(processes: list[psutil.Process]) -> None:
    """What a browser that hangs has left: of the processes that were started here, no others."""
    _, alive = psutil.wait_procs(processes, END_S)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, END_S)
