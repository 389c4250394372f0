"""Everything the documents name exists: make targets, commands, files, tests, headings."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from tests.docs.console import ROOT

DOCUMENTS = [*(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").glob("**/README.md")]
PAGES = [ROOT / "README.md", *sorted(DOCUMENTS)]
page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def code_of(page: Path) -> str:
    """All that is set as code: blocks with or without a fence, and spans."""
    text = page.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```|^( {4}[^\n]*)$", text, re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`([^`]+)`", rest)
    return "\n".join([*(fenced or indented for fenced, indented in blocks), *spans])


def slug(heading: str) -> str:
    """What a heading is called in a link, as GitHub does."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    """What can be linked to in this page."""
    return {slug(found) for found in re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)}


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """The file and the heading of each link within the repository."""
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if "://" not in target:
            name, _, anchor = target.partition("#")
            yield (page.parent / name if name else page), anchor


@page
def test_links_within_the_repository_resolve(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), f"{target}#{anchor}"


@page
def test_targets_of_make_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"\bmake ([a-z-]+)", code_of(page))) <= targets


@page
def test_commands_exist(page: Path) -> None:
    for command in set(re.findall(r"manage\.py ([a-z_]+)", page.read_text())):
        module = load_command_class(get_commands()[command], command)
        assert module.create_parser("manage.py", command).format_help()


@page
def test_files_and_tests_exist(page: Path) -> None:
    kinds = "py|lua|md|yml|yaml|json|toml|ini|txt|html|js|css"
    named = re.findall(
        rf"(?<![\w/.-])(\w[\w.-]*(?:/[\w.-]+)+\.(?:{kinds}))(?:::(\w+))?\b(?!:\d)", code_of(page)
    )

    for name, test in named:
        assert (ROOT / name).exists(), name
        assert not test or f"def {test}(" in (ROOT / name).read_text(), f"{name}::{test}"


def test_the_readme_leads_to_every_document() -> None:
    found = {target.resolve() for target, _ in links(PAGES[0])}

    assert set(PAGES[1:]) <= found, set(PAGES[1:]) - found
