"""Takes the pictures of the console in docs/images: a node with the demonstration, a few payments, one page after the other.

`make screenshots`. The pictures are the same each time but for what a new chain makes anew: times, keys, hashes.
"""

import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from playwright.sync_api import Browser, Page, ViewportSize

ROOT: Final = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a script, the folder of the script is on the path and not the checkout
    sys.path.insert(0, str(ROOT))

from tests.e2e.cli_node import CliNode  # noqa: E402 - needs the path above
from tools.chromium import chromium  # noqa: E402 - needs the path above

IMAGES: Final = ROOT / "docs" / "images"
BYTES_MAX: Final = 300_000
PAYMENTS: Final = (
    ("alice", "shop", "12.50"),
    ("bob", "alice", "40"),
    ("carol", "shop", "3.20"),
    ("alice", "bob", "7"),
    ("bob", "shop", "18.80"),
)
DESKTOP: Final[ViewportSize] = {"width": 1200, "height": 900}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}


class Picture(NamedTuple):
    """A file, the page that it shows, and what must stand there before it is taken."""

    name: str
    path: str
    size: ViewportSize
    ready: str


def pictures(transaction_id: str) -> list[Picture]:
    """What is taken."""
    city = "/console/ids/ZZ.156.1301"
    proof = "/console/proof?of=/ids/ZZ.156.1301.fujie"
    return [
        Picture("home.png", "/console/", DESKTOP, "#height"),
        Picture("home-phone.png", "/console/", PHONE, "#height"),
        Picture("identifier.png", city, {"width": 1200, "height": 1300}, "#list"),
        Picture("transaction.png", f"/console/transactions/{transaction_id}", DESKTOP, "#sentence"),
        Picture(
            "proof.png",
            proof,
            {"width": 1200, "height": 1500},
            "#proof-verdict[data-verdict=proven]",
        ),
    ]


def take(page: Page, picture: Picture) -> Path:
    """Take one picture and return its file."""
    page.set_viewport_size(picture.size)
    page.goto(picture.path)
    page.wait_for_selector(picture.ready)
    file = IMAGES / picture.name
    page.screenshot(path=file, animations="disabled", caret="hide")
    return file


def visitor(browser: Browser, node: CliNode) -> Page:
    """A page of a reader who may see everything, and who has pinned the trust root of the chain."""
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{node.port}",
        locale="en-GB",
        timezone_id="Asia/Shanghai",
        color_scheme="light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto("/console/sign-in")
    page.fill("#code", node.json("access", "code", "auditor")["code"])
    page.press("#code", "Enter")
    page.wait_for_url("**/console/")
    page.goto("/console/proof")
    [trust] = node.home.glob("**/trust.json")
    page.set_input_files("#proof-root", trust)
    page.wait_for_selector("#proof-forget:not([hidden])")
    return page


def take_all(node: CliNode) -> None:
    """Pay, and take every picture. Fails when one is too large for the repository."""
    paid = [node.json("pay", *payment)["transaction_id"] for payment in PAYMENTS]
    with chromium() as browser:
        page = visitor(browser, node)
        for picture in pictures(paid[0]):
            file = take(page, picture)
            size = file.stat().st_size
            print(f"{file.relative_to(ROOT)}  {size:,} bytes")
            if size > BYTES_MAX:
                raise SystemExit(f"at most {BYTES_MAX:,} bytes of a picture belong into the repository")


def main() -> None:
    """Start a node, take the pictures, and stop it."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        node = CliNode(Path(place))
        node.start()
        try:
            take_all(node)
        finally:
            node.stop()


if __name__ == "__main__":
    main()
