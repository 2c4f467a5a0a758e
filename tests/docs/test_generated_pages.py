"""Generated pages of the site: the hook of mkdocs, and the documents of the root."""

import pytest
from mkdocs.exceptions import PluginError

from docs.generate import hook, root_documents


def test_folders_of_the_navigation_become_the_pages_that_are_not_named():
    nav = [{"Home": "index.md"}, {"Data": ["data/index.md", "data/*"]}]
    pages = ["data/b.md", "data/a.md", "data/index.md", "data/deeper/c.md", "index.md"]
    assert hook.expanded(nav, pages) == [
        {"Home": "index.md"},
        {"Data": ["data/index.md", "data/a.md", "data/b.md"]},
    ]


def test_a_generator_may_not_replace_a_page_that_is_written_by_hand(monkeypatch):
    monkeypatch.setattr(root_documents, "pages", lambda: {"results.md": "# Other\n"})
    with pytest.raises(PluginError, match=r"root_documents\.py makes results\.md, which exists"):
        hook.generate(("root_documents",))


def test_an_unknown_generator_is_refused_with_the_choices():
    with pytest.raises(PluginError, match=r"names \['roots'\]; generators are: .*root_documents"):
        hook.chosen("root_documents,roots")


def test_options_in_running_text_stay_on_one_line():
    html = "<p><code>a-b --config.x=-1</code></p><pre><code><span>--x</span></code></pre>"
    assert hook.on_page_content(html) == html.replace(
        "--config", '<span class="unbroken">--config</span>'
    )


@pytest.mark.parametrize("number", ["0.93 [0.53, 0.99]", "+0.1 [-0.2, +0.4]", "-1 [-2, 0]", "80 %"])
def test_an_interval_and_a_percentage_stay_on_one_line(number):
    html = '<p>It is {}, <img alt="' + number + '"></p>'
    page = hook.on_page_content(html.format(number))
    assert page == html.format(f'<span class="unbroken">{number}</span>')


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("see the [policy](SECURITY.md).", "see the [policy](security.md)."),
        ("the [rules](CONTRIBUTING.md#words)", "the [rules](contributing.md#words)"),
        ("[results](docs/results.md#x)", "[results](results.md#x)"),
        ("![a plot](docs/rehearsal.png)", "![a plot](rehearsal.png)"),
        ("[LICENSE](LICENSE)", "`LICENSE`"),
        ("[SemVer](https://semver.org)", "[SemVer](https://semver.org)"),
        ("`[x](y)` and\n```\n[x](y)\n```\n", "`[x](y)` and\n```\n[x](y)\n```\n"),
    ],
)
def test_links_of_a_root_document_are_right_in_the_site(written, expected):
    assert root_documents.with_links_of_the_site(written) == expected


def test_a_root_document_with_a_broken_link_fails_the_build():
    with pytest.raises(ValueError, match=r"links to docs/none\.md, which does not exist"):
        root_documents.with_links_of_the_site("[x](docs/none.md)")
