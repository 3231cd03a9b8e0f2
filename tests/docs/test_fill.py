"""Filling a page replaces every output by that of one run, in the page and in its twin, and nothing else."""

import pytest

from tests.docs.fill import printed_now, write
from tests.docs.pages import read_page

OLD, NEW = "ab" * 16, "0" * 30 + "17"
PAGE = f"""# A page

Words with {OLD}.

```sh
id=$(printf %032x 23)
```

```console
$ echo "$id"
{OLD}
$ echo one; echo "$id"; echo three
one
…
$ true
```

<!-- file: kept.json -->
```json
{{"id": "{OLD}"}}
```

```python
print("%032x" % 23)
```

```text
{OLD}
```

```console
$ echo "$id"
{OLD}
```
"""


def test_filling_replaces_every_output_and_nothing_else(tmp_path):
    page, twin = tmp_path / "page.md", tmp_path / "twin.md"
    page.write_text(PAGE, "utf-8")
    twin.write_text(PAGE.replace("Words with", "字"), "utf-8")
    texts = printed_now(read_page(page))
    write(page, texts)
    write(twin, texts)
    wanted = PAGE.replace(f"\n{OLD}\n", f"\n{NEW}\n")
    assert page.read_text("utf-8") == wanted
    assert twin.read_text("utf-8") == wanted.replace("Words with", "字")
    assert wanted.count(OLD) == 2, "in a sentence and in a file"


def test_page_is_not_filled_where_a_block_would_show_another_run(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"<!-- only where: false -->\n```console\n$ echo {OLD}\n{OLD}\n```\n", "utf-8")
    with pytest.raises(AssertionError, match="fill this page on a machine where this succeeds: false"):
        printed_now(read_page(page))
    page.write_text("<!-- only where: false -->\n```console\n$ echo words\nwords\n```\n", "utf-8")
    assert printed_now(read_page(page)) == ["$ echo words\nwords\n"]


def test_twin_with_other_blocks_is_not_written(tmp_path):
    twin = tmp_path / "twin.md"
    twin.write_text(PAGE, "utf-8")
    with pytest.raises(AssertionError, match="has other blocks than its twin"):
        write(twin, ["one\n"])
    assert twin.read_text("utf-8") == PAGE
